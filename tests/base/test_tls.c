/* Thread-locals by instructions of our own: they are the compiler's, in each thread and in each way to link a program; this source
 * is built in several (objects.ninja). That they are not kept over a change of threads is tested by tests/coro/migrate.c.
 * Prints "N passed, N failed". */
#include "tls.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { THREADS = 4,
    LOOKS = 1000 };

struct tally {
    pthread_t thread;
    const char *name;
    int n_right, n_wrong;
    const char **word;
};

static void expect(struct tally *tally, int ok)
{
    *(ok ? &tally->n_right : &tally->n_wrong) += 1;
}

static TP_APART void name_it(const char *name)
{
    *tp_tls_place(tls_word) = name;
    tp_tls_place(tls_row)->at[4]++;
}

static void *look(void *argument)
{
    struct tally *tally = argument;
    expect(tally, !tp_tls_value(tls_word) && tp_tls_place(tls_row)->at[0] == 7 && tp_tls_place(tls_row)->at[4] == 0);
    for (int i = 0; i < LOOKS; i++) {
        name_it(tally->name);
        expect(tally, tp_tls_value(tls_word) == tally->name);
        expect(tally, tp_tls_place(tls_word) == tls_word_plainly() && *tls_word_plainly() == tally->name);
        expect(tally, tp_tls_place(tls_row) == tls_row_plainly() && tls_row_plainly()->at[4] == i + 1);
        expect(tally, tp_tls_word(tls_row, 4 * sizeof(long)) == (uint64_t)i + 1 && tp_tls_word(tls_row, 0) == 7);
    }
    tally->word = tp_tls_place(tls_word);
    return NULL;
}

int main(void)
{
    static const char *const names[THREADS] = {"one", "two", "three", "four"};
    struct tally tallies[THREADS] = {{.name = NULL}};
    int n_right = 0, n_wrong = 0;
    for (int i = 0; i < THREADS; i++)
        tallies[i].name = names[i];
    for (int i = 1; i < THREADS; i++)
        n_wrong += pthread_create(&tallies[i].thread, NULL, look, &tallies[i]) != 0;
    look(&tallies[0]);
    for (int i = 1; i < THREADS; i++)
        n_wrong += pthread_join(tallies[i].thread, NULL) != 0;
    for (int i = 0; i < THREADS; i++) {
        n_right += tallies[i].n_right;
        n_wrong += tallies[i].n_wrong;
    }
    n_wrong += n_right + n_wrong != THREADS * (4 * LOOKS + 1);
    printf("%d passed, %d failed\n", n_wrong == 0, n_wrong != 0);
    return n_wrong != 0;
}
