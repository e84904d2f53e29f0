/* Pools where processors are few or fixed: workers that stay on one each, a mask with one, a quota below one; and how
 * the threads of a pool are called. */
#include "tests/support/unit.h"

#include "runtime/tidepool.h"
#include "runtime/worker.h"

#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CPUS = sizeof(struct tp_cpu_mask) * 8,
    WORKERS_MAX = 9 };

/* The quota of a made-up system tree, if there is one, instead of the system's. */
static const char *quota_root;
unsigned __real_tp_cpu_count(void);
unsigned __wrap_tp_cpu_count(void);

unsigned __wrap_tp_cpu_count(void)
{
    return quota_root ? tp__cpu_quota(quota_root) : __real_tp_cpu_count();
}

/* The processors of a mask, in order. */
static size_t list_cpus(unsigned *cpus)
{
    struct tp_cpu_mask mask;
    tp_cpu_mask_get(&mask);
    size_t n = 0;
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (mask.bits[cpu / 8] >> cpu % 8 & 1)
            cpus[n++] = cpu;
    return n;
}

/* What a task saw of the worker that ran it. */
struct sight {
    unsigned worker;
    size_t n_cpus;
    unsigned cpus[CPUS];
};

static struct sight sights[WORKERS_MAX];
static tp_atomic(uint32_t) n_sights, n_wanted;
static struct tp_pool *pool;

/* Looks, submits the next task of its kind, and holds its worker until all have looked: so each has one of its own. */
static int look_run(void *argument)
{
    uint32_t i = (uint32_t)(uintptr_t)argument, wanted = tp_load_sc(&n_wanted);
    struct sight *sight = &sights[i];
    sight->worker = tp_worker_self()->index;
    sight->n_cpus = list_cpus(sight->cpus);
    int status = i + 1 < wanted ? tp_pool_submit(pool, look_run, (void *)(uintptr_t)(i + 1)) : 0;
    tp_add_sc(&n_sights, 1); /* any order would do, here and below */
    while (tp_load_sc(&n_sights) < wanted)
        sched_yield();
    return status;
}

static void look(struct tp_pool_settings settings, uint32_t workers)
{
    settings.workers = workers;
    tp_store_sc(&n_sights, 0);
    tp_store_sc(&n_wanted, workers);
    assert_int_equal(tp_pool_open(&pool, &settings), 0);
    assert_int_equal(tp_pool_submit(pool, look_run, NULL), 0);
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_sights), workers);
    tp_pool_free(pool);
}

/* In turn; also those that a pinned worker started, and more of them than there are processors. */
static void test_in_turn(void **state)
{
    static unsigned cpus[CPUS];
    size_t n = list_cpus(cpus);
    (void)state;
    assert_true(n > 0);
    for (uint32_t workers = 1; workers <= WORKERS_MAX; workers += 4) {
        look((struct tp_pool_settings){.affinity = TP_AFFINITY_ON}, workers);
        unsigned seen = 0;
        for (uint32_t i = 0; i < workers; i++) {
            seen |= 1u << sights[i].worker;
            assert_int_equal(sights[i].n_cpus, 1);
            assert_int_equal(sights[i].cpus[0], cpus[sights[i].worker % n]);
        }
        assert_int_equal(seen, (1u << workers) - 1);
    }
}

static void test_not_asked_for(void **state)
{
    static unsigned cpus[CPUS];
    size_t n = list_cpus(cpus);
    (void)state;
    for (int affinity = TP_AFFINITY_CONFIGURED; affinity <= TP_AFFINITY_OFF; affinity++) {
        look((struct tp_pool_settings){.affinity = (enum tp_affinity)affinity}, 5);
        for (uint32_t i = 0; i < 5; i++) {
            assert_int_equal(sights[i].n_cpus, n);
            assert_memory_equal(sights[i].cpus, cpus, n * sizeof *cpus);
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.affinity = (enum tp_affinity)(TP_AFFINITY_ON + 1)}), TP_EINVAL);
}

/* An empty mask changes nothing, and one with a processor that there is not. */
static void test_pin_in_vain(void **state)
{
    static unsigned before[CPUS], after[CPUS];
    struct tp_cpu_mask mask;
    size_t n = list_cpus(before);
    (void)state;
    memset(&mask, 0, sizeof mask);
    tp_cpu_pin(&mask, 3);
    mask.bits[sizeof mask.bits - 1] = 0x80;
    tp_cpu_pin(&mask, 3);
    assert_int_equal(list_cpus(after), n);
    assert_memory_equal(before, after, n * sizeof *before);
}

static int count_run(void *argument)
{
    tp_add_sc((tp_atomic(uint32_t) *)argument, 1); /* any order would do */
    return 0;
}

/* A pool of as many workers as the process may use has one, and works. */
static void expect_one_worker(void)
{
    tp_atomic(uint32_t) n_run = 0;
    struct tp_pool_settings is;
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.capacity = 8}), 0);
    tp_pool_get_settings(pool, &is);
    assert_int_equal(is.workers, 1);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tp_pool_submit(pool, count_run, &n_run), 0);
    assert_int_equal(tp_pool_join_all(pool, TP_FOREVER), 0);
    assert_int_equal(tp_load_sc(&n_run), 1000);
    tp_pool_free(pool);
}

/* As with `taskset -c N`. */
static void test_one_processor(void **state)
{
    struct tp_cpu_mask before;
    (void)state;
    tp_cpu_mask_get(&before);
    tp_cpu_pin(&before, 0);
    expect_one_worker();
    assert_int_equal(sched_setaffinity(0, sizeof before, (const cpu_set_t *)(const void *)before.bits), 0);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static void put(const char *root, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A quarter of a processor, as a container may have. */
static void test_small_quota(void **state)
{
    char root[] = "/tmp/tidepool-test-affinity-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(root));
    put(root, "proc/self/cgroup", "0::/small\n");
    put(root, "sys/fs/cgroup/small/cpu.max", "25000 100000\n");
    quota_root = root;
    expect_one_worker();
    quota_root = NULL;
    assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many threads of this process are called so. */
static unsigned count_named(const char *name)
{
    unsigned n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char path[300], comm[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        if (fgets(comm, sizeof comm, file))
            comm[strcspn(comm, "\n")] = '\0';
        fclose(file);
        n += strcmp(comm, name) == 0;
    }
    closedir(tasks);
    return n;
}

static int wait_run(void *argument)
{
    tp_add_sc(&n_sights, 1); /* any order would do, here and below */
    while (tp_load_sc((tp_atomic(uint32_t) *)argument) == 0)
        sched_yield();
    return 0;
}

/* The pool's name, cut, and the worker's number: what `top -H` and debuggers show. */
static void test_names(void **state)
{
    tp_atomic(uint32_t) is_open = 0;
    (void)state;
    tp_store_sc(&n_sights, 0);
    assert_int_equal(tp_pool_open(&pool, &(struct tp_pool_settings){.workers = 3, .workers_min = 3}), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tp_pool_submit(pool, wait_run, &is_open), 0);
    while (tp_load_sc(&n_sights) < 3)
        sched_yield();
    assert_int_equal(count_named("stock_fif/0"), 1);
    assert_int_equal(count_named("stock_fif/1"), 1);
    assert_int_equal(count_named("stock_fif/2"), 1);
    assert_int_equal(count_named("stock_fif/3"), 0);
    tp_store_sc(&is_open, 1);
    tp_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_not_asked_for),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pin_in_vain),
        cmocka_unit_test(test_one_processor),
        cmocka_unit_test(test_small_quota),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
