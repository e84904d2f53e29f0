/* The thread-locals of tests/base/test_tls.c. */
#include "tls.h"

#include <stddef.h>

TP_TLS_DEFINE(const char *, tls_word, NULL);
TP_TLS_DEFINE(struct row, tls_row, {{7}});

const char **tls_word_plainly(void)
{
    return &tls_word;
}

struct row *tls_row_plainly(void)
{
    return &tls_row;
}
