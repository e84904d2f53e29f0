/* Usable processors: affinity and control-group quota. A quota below one core still gives one
 * worker: a pool without workers would accept tasks and never run them. */
#include "cpu.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum {
    CPU_MAX = 4096,
    PATH_BYTES = 4096
};

static unsigned affinity_count(void)
{
    /* One fixed mask, as large as the kernel's largest configuration. */
    static const size_t bytes = CPU_MAX * 2 / 8;
    unsigned char mask[CPU_MAX * 2 / 8];
    memset(mask, 0, bytes);
    if (sched_getaffinity(0, bytes, (cpu_set_t *)(void *)mask) != 0)
        return 1;
    int n = CPU_COUNT_S(bytes, (cpu_set_t *)(void *)mask);
    return n > 0 ? (unsigned)n : 1;
}

/* Reads "quota period" (version 2) or a lone number from a file; returns how many were read. */
static int read_numbers(const char *path, long long *first, long long *second)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int n = fscanf(file, "%lld %lld", first, second);
    fclose(file);
    return n > 0 ? n : 0;
}

static unsigned quota_to_count(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return CPU_MAX;
    long long cores = (quota - 1) / period + 1;
    return cores < CPU_MAX ? (unsigned)cores : CPU_MAX;
}

/* The strictest cpu.max from the process's own group up to the root (version 2). */
static unsigned cgroup2_count(const char *group)
{
    char dir[PATH_BYTES / 2], path[PATH_BYTES];
    unsigned least = CPU_MAX;
    snprintf(dir, sizeof dir, "%s", group);
    for (;;) {
        long long quota = 0, period = 0;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", dir);
        if (read_numbers(path, &quota, &period) == 2) {
            unsigned n = quota_to_count(quota, period);
            least = n < least ? n : least;
        }
        char *slash = strrchr(dir, '/');
        if (!slash || dir[0] == '\0')
            return least;
        *slash = '\0';
    }
}

static unsigned cgroup1_count(const char *group)
{
    char path[PATH_BYTES];
    long long quota = 0, period = 0, unused = 0;
    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", group);
    if (read_numbers(path, &quota, &unused) == 0)
        return CPU_MAX;
    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group);
    if (read_numbers(path, &period, &unused) == 0)
        return CPU_MAX;
    return quota_to_count(quota, period);
}

static unsigned quota_count(void)
{
    unsigned least = CPU_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return least;
    char line[PATH_BYTES / 2];
    while (fgets(line, sizeof line, file)) { /* "0::/group" or "4:cpu,cpuacct:/group" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        if (strcmp(group, "/") == 0)
            group = "";
        unsigned n = CPU_MAX;
        if (controllers[1] == '\0')
            n = cgroup2_count(group);
        else if (strncmp(controllers + 1, "cpu", 3) == 0 && (controllers[4] == '\0' || controllers[4] == ','))
            n = cgroup1_count(group);
        least = n < least ? n : least;
    }
    fclose(file);
    return least;
}

unsigned tp_cpu_count(void)
{
    unsigned affinity = affinity_count();
    unsigned quota = quota_count();
    unsigned n = affinity < quota ? affinity : quota;
    return n > 0 ? n : 1;
}
