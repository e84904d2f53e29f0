/* Usable processors: affinity and control-group quota. A quota below one core still gives one
 * worker: a pool without workers would accept tasks and never run them. */
#include "cpu.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
    CPU_MAX = 4096,
    NAME_BYTES = 4000, /* of a directory */
    PATH_BYTES = 4096
};

void tp_cpu_mask_get(struct tp_cpu_mask *mask)
{
    memset(mask, 0, sizeof *mask);
    if (sched_getaffinity(0, sizeof *mask, (cpu_set_t *)(void *)mask->bits) != 0)
        memset(mask, 0, sizeof *mask);
}

static unsigned mask_count(const struct tp_cpu_mask *mask)
{
    unsigned n = 0;
    for (size_t i = 0; i < sizeof mask->bits; i++)
        n += (unsigned)__builtin_popcount(mask->bits[i]);
    return n;
}

static unsigned affinity_count(void)
{
    struct tp_cpu_mask mask;
    tp_cpu_mask_get(&mask);
    unsigned n = mask_count(&mask);
    return n > 0 ? n : 1;
}

void tp_cpu_pin(const struct tp_cpu_mask *mask, unsigned index)
{
    unsigned n = mask_count(mask), left = n > 0 ? index % n : 0;
    for (unsigned cpu = 0; n > 0; cpu++) {
        unsigned char bit = (unsigned char)(1u << cpu % 8);
        if ((mask->bits[cpu / 8] & bit) && left-- == 0) {
            struct tp_cpu_mask one;
            memset(&one, 0, sizeof one);
            one.bits[cpu / 8] = bit;
            sched_setaffinity(0, sizeof one, (const cpu_set_t *)(const void *)one.bits); /* refused: as it was */
            return;
        }
    }
}

/* Reads one or two numbers from a file; returns how many there were. */
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

/* The quota in one directory of the control groups' tree, version 2 and version 1. */
static unsigned limit_v2(const char *dir)
{
    char path[PATH_BYTES];
    long long quota = 0, period = 0;
    snprintf(path, sizeof path, "%.*s/cpu.max", NAME_BYTES, dir);
    /* "max" instead of a quota is no number and no limit. */
    return read_numbers(path, &quota, &period) == 2 ? quota_to_count(quota, period) : CPU_MAX;
}

static unsigned limit_v1(const char *dir)
{
    char path[PATH_BYTES];
    long long quota = 0, period = 0, unused = 0;
    snprintf(path, sizeof path, "%.*s/cpu.cfs_quota_us", NAME_BYTES, dir);
    if (read_numbers(path, &quota, &unused) == 0)
        return CPU_MAX;
    snprintf(path, sizeof path, "%.*s/cpu.cfs_period_us", NAME_BYTES, dir);
    if (read_numbers(path, &period, &unused) == 0)
        return CPU_MAX;
    return quota_to_count(quota, period);
}

/* The strictest limit from the process's own group up to the mount. Inside a container the group
 * may have another name than outside, so a directory that is missing says nothing. */
static unsigned strictest(const char *mount, const char *group, unsigned (*limit)(const char *dir))
{
    char dir[PATH_BYTES];
    unsigned least = CPU_MAX;
    size_t n_mount = strlen(mount);
    snprintf(dir, sizeof dir, "%s%s", mount, group);
    for (;;) {
        unsigned n = limit(dir);
        least = n < least ? n : least;
        char *slash = strlen(dir) > n_mount ? strrchr(dir + n_mount, '/') : NULL;
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is "cpu" in a list such as "cpuacct,cpu"? */
static bool has_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == '\0' || at[3] == ','))
            return true;
    }
    return false;
}

unsigned tp__cpu_quota(const char *root)
{
    char path[PATH_BYTES], line[NAME_BYTES / 2];
    unsigned least = CPU_MAX;
    snprintf(path, sizeof path, "%.*s/proc/self/cgroup", NAME_BYTES, root);
    FILE *file = fopen(path, "re");
    if (!file)
        return least;
    while (fgets(line, sizeof line, file)) { /* "0::/group" or "4:cpu,cpuacct:/group" */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        unsigned n = CPU_MAX;
        if (controllers[1] == '\0') {
            snprintf(path, sizeof path, "%.*s/sys/fs/cgroup", NAME_BYTES, root);
            n = strictest(path, group, limit_v2);
        } else if (has_cpu(controllers + 1)) {
            snprintf(path, sizeof path, "%.*s/sys/fs/cgroup/cpu", NAME_BYTES, root);
            n = strictest(path, group, limit_v1);
        }
        least = n < least ? n : least;
    }
    fclose(file);
    return least;
}

unsigned tp_cpu_count(void)
{
    unsigned affinity = affinity_count();
    unsigned quota = tp__cpu_quota("");
    return affinity < quota ? affinity : quota;
}
