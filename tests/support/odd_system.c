/* Preloaded into a daemon under test: a system whose resolver hangs for names that begin with
 * "hanging", and whose wall clock is off by the seconds in the file ODD_SYSTEM_CLOCK. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    while (node != NULL && strncmp(node, "hanging", 7) == 0) {
        pause();
    }
    return next(node, service, hints, result);
}

static time_t offset(void) {
    const char *path = getenv("ODD_SYSTEM_CLOCK");
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    long seconds = 0;
    if (file != NULL) {
        if (fscanf(file, "%ld", &seconds) != 1) {
            seconds = 0;
        }
        fclose(file);
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int result = next(clock, now);
    if (clock == CLOCK_REALTIME && result == 0) {
        now->tv_sec += offset();
    }
    return result;
}
