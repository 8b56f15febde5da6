/* One call of the native library, on the processor that this is compiled for: see test_native_processors.py.
 *
 * `replay variants` prints their names. `replay CALL VARIANT FILE` makes the call on what is in the file, and writes
 * the file anew: three sizes, the problem, whose pointers count from the file's start, and what they point at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

const char *relational_variant(int64_t number);
void relational_sizes(int64_t number, const problem *p, int64_t *sizes);
void relational_forward(int64_t number, const problem *p);
void relational_backward(int64_t number, const problem *p);

typedef struct {
    int64_t sizes[3];
    problem problem;
} head;

static void need(int holds, const char *what) {
    if (holds) return;
    perror(what);
    exit(1);
}

int main(int count, char **arguments) {
    const char *call = arguments[1], *name;
    if (count == 2) {
        for (int64_t n = 0; (name = relational_variant(n)); n++) puts(name);
        return 0;
    }
    const int64_t variant = atoll(arguments[2]);
    FILE *file = fopen(arguments[3], "r+b");
    need(file && !fseek(file, 0, SEEK_END), arguments[3]);
    const size_t size = (size_t)ftell(file);
    char *content = malloc(size);
    rewind(file);
    need(content && fread(content, 1, size, file) == size, arguments[3]);

    head *h = (head *)content;
    problem *p = &h->problem;
    for (char **pointer = (char **)&p->batch_sizes; pointer < (char **)(p + 1); pointer++)
        if (*pointer) *pointer = content + (size_t)*pointer;
    relational_sizes(variant, p, h->sizes);
    if (strcmp(call, "sizes")) {
        const int backward = !strcmp(call, "backward");
        const size_t room = (size_t)h->sizes[1 + backward] * 4;
        p->workspace = aligned_alloc(64, (room + 63) / 64 * 64);
        need(p->workspace != NULL, "workspace");
        memset(p->workspace, 255, room); /* NaN */
        (backward ? relational_backward : relational_forward)(variant, p);
    }
    rewind(file);
    need(fwrite(content, 1, size, file) == size && !fclose(file), arguments[3]);
    return 0;
}
