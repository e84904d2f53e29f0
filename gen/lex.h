/* The tokens of the config language. One invariant: a lexer only looks at [text, text + size),
 * text[size] is 0, and the text was found free of NUL bytes and valid UTF-8 by lex_find_bad_byte.
 * docs/config.md describes the language. */
#ifndef TP_GEN_LEX_H
#define TP_GEN_LEX_H

#include <stddef.h>
#include <stdint.h>

/* Kind and the name the Lua side knows it by. From BAD_STRING on the token is a mistake. */
#define LEX_KINDS(X)                                                                               \
    X(END, "end")               /* of the file */                                                  \
    X(WORD, "word")             /* run, cores, resize_image */                                     \
    X(STRING, "string")         /* "struct image *"; no escapes, ends on its line */               \
    X(NUMBER, "number")         /* 1024 */                                                         \
    X(SIZE, "size")             /* 64KiB; the value is in bytes */                                 \
    X(DURATION, "duration")     /* 500ms; the value is in nanoseconds */                           \
    X(MARK, "mark")             /* { } ( ) = , * / .. */                                           \
    X(BAD_STRING, "bad string") /* no closing quote on the line */                                 \
    X(BAD_UNIT, "bad unit")     /* 64KB, 0x10 */                                                   \
    X(HUGE, "huge number")      /* above 2^63 - 1 */                                               \
    X(NEGATIVE, "negative")     /* -5 */                                                           \
    X(FRACTION, "fraction")     /* 1.5 */                                                          \
    X(DASHED, "dashed word")    /* caller-runs */                                                  \
    X(OTHER, "other")           /* any other character */

enum lex_kind {
#define X(kind, name) LEX_##kind,
    LEX_KINDS(X)
#undef X
};

struct lex_token {
    enum lex_kind kind;
    size_t at;     /* offset of the first byte */
    size_t size;   /* bytes */
    size_t line;   /* from 1 */
    size_t column; /* from 1, in characters; a tab is one */
    size_t width;  /* in characters */
    int64_t value; /* NUMBER, SIZE, DURATION: the value; else 0 */
};

struct lex {
    const unsigned char *text;
    size_t size;
    size_t at;     /* where the next token is looked for */
    size_t line;   /* of `at` */
    size_t column; /* of `at` */
};

/* lex_find_bad_byte: the offset of the first byte that is NUL or not part of valid UTF-8, or size. */
size_t lex_find_bad_byte(const unsigned char *text, size_t size);

/* lex_init: start at the beginning of the text, after a byte order mark if there is one.
 * text: stays the caller's, unchanged while the lexer is used. */
void lex_init(struct lex *lex, const unsigned char *text, size_t size);

/* lex_next: read one token. At the end of the text it returns END, again and again. */
void lex_next(struct lex *lex, struct lex_token *out);

#endif
