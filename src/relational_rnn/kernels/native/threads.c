/* A few threads for one call; none stay behind, so processes can fork. */
#include <pthread.h>

#include "native.h"

enum { MOST = 256 };

typedef struct {
    void (*work)(const void *, int64_t);
    const void *argument;
    int64_t thread;
} order;

static void *obey(void *given) {
    const order *o = given;
    o->work(o->argument, o->thread);
    return NULL;
}

void run_threads(int64_t threads, void (*work)(const void *argument, int64_t thread), const void *argument) {
    pthread_t running[MOST];
    order orders[MOST];
    int64_t started = 1;
    for (; started < threads && started < MOST; started++) {
        orders[started] = (order){work, argument, started};
        if (pthread_create(&running[started], NULL, obey, &orders[started])) break;
    }
    /* What got no thread of its own is done here: every number has its share of the work. */
    for (int64_t thread = started; thread < threads; thread++) work(argument, thread);
    work(argument, 0);
    for (int64_t thread = 1; thread < started; thread++) pthread_join(running[thread], NULL);
}
