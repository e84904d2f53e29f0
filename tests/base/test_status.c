/* Status codes: every one has a name and a sentence of its own. */
#include "tests/support/unit.h"

#include "runtime/base/status.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

static const struct {
    int value;
    const char *name, *sentence;
} map[] = {
#define ROW(name, value, sentence) {name, #name, sentence},
    TP_STATUS_MAP(ROW)
#undef ROW
};
enum { N_MAP = sizeof map / sizeof *map };

static void test_known(void **state)
{
    (void)state;
    for (int i = 0; i < N_MAP; i++) {
        assert_string_equal(tp_status_name(map[i].value), map[i].name);
        assert_string_equal(tp_strerror(map[i].value), map[i].sentence);
    }
    assert_string_equal(tp_status_name(0), "TP_OK");
    assert_string_equal(tp_strerror(0), "success");
}

static void test_unknown(void **state)
{
    static const int unknown[] = {1, INT_MAX, INT_MIN, -1000};
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_string_equal(tp_status_name(unknown[i]), "TP_E?");
        assert_string_equal(tp_strerror(unknown[i]), "unknown status code");
    }
}

/* Negative, without gaps, so that a value never changes its meaning unseen. */
static void test_values(void **state)
{
    (void)state;
    for (int i = 0; i < N_MAP; i++)
        assert_int_equal(map[i].value, -1 - i);
}

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < N_MAP; i++) {
        assert_int_equal(strncmp(map[i].name, "TP_E", 4), 0);
        assert_true(islower((unsigned char)map[i].sentence[0]));
        assert_int_not_equal(map[i].sentence[strlen(map[i].sentence) - 1], '.');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(map[i].sentence, map[k].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
