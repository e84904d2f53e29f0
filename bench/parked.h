/* What the programs of the workload `parked` share: how much memory the process has, and the report. */
#ifndef PARKED_H
#define PARKED_H

#include "bench.h"

#include <stdio.h>

/* Resident memory of the process, and its page tables. */
static inline uint64_t parked_memory(void)
{
    char line[128];
    unsigned long kib, sum = 0;
    FILE *file = fopen("/proc/self/status", "r");
    bench_check(file != NULL, "cannot see the process's memory");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %lu", &kib) == 1 || sscanf(line, "VmPTE: %lu", &kib) == 1)
            sum += kib;
    fclose(file);
    return (uint64_t)sum << 10;
}

/* `before`: from parked_memory, when there was none of them. */
static inline void parked_report(const struct bench *bench, uint64_t before)
{
    printf("bytes=%.0f coroutines=%llu\n", (double)(parked_memory() - before) / (double)bench->n_tasks,
        (unsigned long long)bench->n_tasks);
}

#endif
