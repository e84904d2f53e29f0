/* Usable processors: affinity, and quotas of control groups in a made-up system tree. */
#include "tests/support/unit.h"

#include "runtime/cpu.h"

#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 512,
    NO_LIMIT = 4096 };

static char root[] = "/tmp/tidepool-test-cpu-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int plant(void **state)
{
    (void)state;
    strcpy(root + sizeof root - 7, "XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int uproot(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the root, with the directories that lead to it. */
static void put(const char *name, const char *text)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", root, name);
    assert_true(n > 0 && n < PATH_BYTES);
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

static unsigned quota(void)
{
    return tp__cpu_quota(root);
}

static void test_no_tree(void **state)
{
    (void)state;
    assert_int_equal(quota(), NO_LIMIT);
    put("proc/self/cgroup", "");
    assert_int_equal(quota(), NO_LIMIT);
    put("proc/self/cgroup", "0::/a\n"); /* but no such directory */
    assert_int_equal(quota(), NO_LIMIT);
}

static void test_v2(void **state)
{
    static const struct {
        const char *text;
        unsigned wanted;
    } cases[] = {
        {"200000 100000\n", 2},
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"150000 100000\n", 2},
        {"50000 100000\n", 1},
        {"1000 1000000\n", 1},
        {"1 1\n", 1},
        {"max 100000\n", NO_LIMIT},
        {"9000000000000000000 1\n", NO_LIMIT},
        {"9223372036854775807 9223372036854775807\n", 1},
        {"", NO_LIMIT},
        {"200000", NO_LIMIT},
        {"0 100000\n", NO_LIMIT},
        {"-1 100000\n", NO_LIMIT},
        {"100000 0\n", NO_LIMIT},
        {"100000 -5\n", NO_LIMIT},
        {"nonsense\n", NO_LIMIT},
    };
    (void)state;
    put("proc/self/cgroup", "0::/a\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("sys/fs/cgroup/a/cpu.max", cases[i].text);
        assert_int_equal(quota(), cases[i].wanted);
    }
}

static void test_v2_nested(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    put("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    assert_int_equal(quota(), 3); /* a parent may be stricter */
    put("sys/fs/cgroup/a/b/c/cpu.max", "200000 100000\n");
    assert_int_equal(quota(), 2);
    put("sys/fs/cgroup/cpu.max", "50000 100000\n"); /* as inside a container */
    assert_int_equal(quota(), 1);
}

static void test_v2_top(void **state)
{
    (void)state;
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    put("proc/self/cgroup", "0::/\n");
    assert_int_equal(quota(), 4);
    put("proc/self/cgroup", "0::/../elsewhere\n"); /* a group outside this namespace */
    assert_int_equal(quota(), 4);
}

static void test_v1(void **state)
{
    (void)state;
    put("proc/self/cgroup", "12:memory:/m\n4:cpu,cpuacct:/a\n1:name=systemd:/s\n");
    put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "150000\n");
    assert_int_equal(quota(), NO_LIMIT); /* no period */
    put("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 2);
    put("proc/self/cgroup", "4:cpuacct,cpu:/a\n");
    assert_int_equal(quota(), 2);
    put("proc/self/cgroup", "4:cpu:/a\n");
    assert_int_equal(quota(), 2);
    put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(quota(), NO_LIMIT);
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 1); /* the parent's */
    put("proc/self/cgroup", "5:cpuset:/a\n3:cpuacct:/a\n");
    assert_int_equal(quota(), NO_LIMIT);
}

/* Both versions at once, as on hybrid systems: the stricter one counts. */
static void test_hybrid(void **state)
{
    (void)state;
    put("proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/b\n");
    put("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "300000\n");
    put("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/b/cpu.max", "200000 100000\n");
    assert_int_equal(quota(), 2);
    put("sys/fs/cgroup/b/cpu.max", "max 100000\n");
    assert_int_equal(quota(), 3);
}

static void test_malformed_list(void **state)
{
    (void)state;
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    put("proc/self/cgroup", "nonsense\n:\n0:\n\n");
    assert_int_equal(quota(), NO_LIMIT);
    put("proc/self/cgroup", "0::/"); /* no final newline */
    assert_int_equal(quota(), 1);
}

static void test_very_long_names(void **state)
{
    static char text[64 * 1024];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "0::/", 4);
    put("proc/self/cgroup", text);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 1); /* what is cut off leads nowhere, the top still counts */
    memset(text, '/', sizeof text - 1);
    assert_int_equal(tp__cpu_quota(text), NO_LIMIT);
}

static void test_affinity(void **state)
{
    cpu_set_t before, one;
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_true(tp_cpu_count() >= 1 && tp_cpu_count() <= (unsigned)CPU_COUNT(&before));
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &before))
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        assert_int_equal(tp_cpu_count(), 1);
    }
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_tree, plant, uproot),
        cmocka_unit_test_setup_teardown(test_v2, plant, uproot),
        cmocka_unit_test_setup_teardown(test_v2_nested, plant, uproot),
        cmocka_unit_test_setup_teardown(test_v2_top, plant, uproot),
        cmocka_unit_test_setup_teardown(test_v1, plant, uproot),
        cmocka_unit_test_setup_teardown(test_hybrid, plant, uproot),
        cmocka_unit_test_setup_teardown(test_malformed_list, plant, uproot),
        cmocka_unit_test_setup_teardown(test_very_long_names, plant, uproot),
        cmocka_unit_test(test_affinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
