/* A few threads for one call: a team of the OpenMP runtime that the caller uses anyhow, or else new ones. */
#include <stddef.h>

#include "native.h"

enum { MOST = 256 };

typedef struct {
    void (*work)(const void *, int64_t);
    const void *argument;
    int64_t thread;
} order;

/* The system's threads. `start_worker` says whether there is a new one, `when_forked` whether forked children will call
 * a function first. */
#ifdef _WIN32

#include <windows.h>

typedef HANDLE worker;

static DWORD WINAPI obey(void *given) {
    const order *o = given;
    o->work(o->argument, o->thread);
    return 0;
}

static int start_worker(worker *w, order *o) { return (*w = CreateThread(NULL, 0, obey, o, 0, NULL)) != NULL; }

static void await_worker(worker w) {
    WaitForSingleObject(w, INFINITE);
    CloseHandle(w);
}

static int when_forked(void (*call)(void)) {
    (void)call; /* no process forks */
    return 1;
}

#else

#include <pthread.h>

typedef pthread_t worker;

static void *obey(void *given) {
    const order *o = given;
    o->work(o->argument, o->thread);
    return NULL;
}

static int start_worker(worker *w, order *o) { return !pthread_create(w, NULL, obey, o); }

static void await_worker(worker w) { pthread_join(w, NULL); }

static int when_forked(void (*call)(void)) { return !pthread_atfork(NULL, NULL, call); }

#endif

/* That runtime's functions. Its threads wait for their next work without giving up their processor: new threads
 * beside them would have to share it. A forked child has the functions but not the threads. */
static void (*team_start)(void (*function)(void *), void *argument, unsigned threads, unsigned flags);
static int (*team_number)(void);
static int (*team_size)(void);

static void forget_team(void) { team_start = NULL; }

void use_team(void *start, void *number, void *size) {
    static int registered;
    if (!registered) registered = when_forked(forget_team);
    if (!registered) return;
    team_number = (int (*)(void))number;
    team_size = (int (*)(void))size;
    team_start = (void (*)(void (*)(void *), void *, unsigned, unsigned))start;
}

/* One member's share; `thread` says how many shares there are. A team may be smaller than asked for. */
static void take_part(void *given) {
    const order *o = given;
    const int64_t members = team_size();
    for (int64_t thread = team_number(); thread < o->thread; thread += members) o->work(o->argument, thread);
}

void run_threads(int64_t threads, void (*work)(const void *argument, int64_t thread), const void *argument) {
    if (threads > 1 && team_start) {
        order all = {work, argument, threads};
        /* 0: as many as the runtime takes itself. It ends threads that a smaller team does not need. */
        team_start(take_part, &all, 0, 0);
        return;
    }
    worker workers[MOST];
    order orders[MOST];
    int64_t started = 1;
    for (; started < threads && started < MOST; started++) {
        orders[started] = (order){work, argument, started};
        if (!start_worker(&workers[started], &orders[started])) break;
    }
    /* What got no thread of its own is done here: every number has its share of the work. */
    for (int64_t thread = started; thread < threads; thread++) work(argument, thread);
    work(argument, 0);
    for (int64_t thread = 1; thread < started; thread++) await_worker(workers[thread]);
}
