/* The thread-locals of tests/base/test_tls.c, which are defined in another translation unit, or in a shared library. */
#ifndef TESTS_TLS_H
#define TESTS_TLS_H

#include "runtime/base/tls.h"

struct row {
    long at[5];
};

TP_TLS_DECLARE(const char *, tls_word);
TP_TLS_DECLARE(struct row, tls_row);

/* The same, as the compiler finds them. */
const char **tls_word_plainly(void);
struct row *tls_row_plainly(void);

#endif
