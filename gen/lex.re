/* The lexer of the config language, written for re2c. See lex.h for the tokens. */
#include "lex.h"

#include <stdbool.h>
#include <string.h>

#define LEX_VALUE_MAX INT64_MAX

/* Bytes of the UTF-8 character at p, with n > 0 bytes left; 0 if it is not one (RFC 3629). */
static size_t character_size(const unsigned char *p, size_t n)
{
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */
    size_t size;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        size = 2;
    else if ((p[0] & 0xf0) == 0xe0)
        size = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        size = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist for what is below */
    if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f; /* U+10FFFF is the last */
    if (n < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

size_t lex_find_bad_byte(const unsigned char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t step = text[at] == 0 ? 0 : character_size(text + at, size - at);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

static size_t count_characters(const unsigned char *p, const unsigned char *end)
{
    size_t n = 0;
    for (; p < end; p++)
        n += (*p & 0xc0) != 0x80;
    return n;
}

/* The value of the digits at p times the unit that follows them; false if it is too large. */
static bool read_value(const unsigned char *p, const unsigned char *end, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KiB", 1024},
        {"MiB", 1024 * 1024},
        {"GiB", 1024 * 1024 * 1024},
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000 * 1000},
        {"s", 1000 * 1000 * 1000},
        {"min", INT64_C(60) * 1000 * 1000 * 1000},
        {"h", INT64_C(3600) * 1000 * 1000 * 1000},
    };
    int64_t value = 0, factor = 1;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        int digit = *p - '0';
        if (value > (LEX_VALUE_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t n = (size_t)(end - p);
        if (strlen(units[i].name) == n && memcmp(units[i].name, p, n) == 0)
            factor = units[i].factor;
    }
    if (value > LEX_VALUE_MAX / factor)
        return false;
    *out = value * factor;
    return true;
}

void lex_init(struct lex *lex, const unsigned char *text, size_t size)
{
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *lex = (struct lex){.text = text, .size = size, .at = mark, .line = 1, .column = 1};
}

/* Make `out` the token [start, end) and continue behind it. */
static void take(struct lex *lex, const unsigned char *start, const unsigned char *end, enum lex_kind kind,
    struct lex_token *out)
{
    *out = (struct lex_token){
        .kind = kind,
        .at = (size_t)(start - lex->text),
        .size = (size_t)(end - start),
        .line = lex->line,
        .column = lex->column,
        .width = count_characters(start, end),
    };
    if ((kind == LEX_NUMBER || kind == LEX_SIZE || kind == LEX_DURATION) && !read_value(start, end, &out->value))
        out->kind = LEX_HUGE;
    lex->at = (size_t)(end - lex->text);
    lex->column += out->width;
}

void lex_next(struct lex *lex, struct lex_token *out)
{
    const unsigned char *p = lex->text + lex->at;
    const unsigned char *end = lex->text + lex->size;
    const unsigned char *start, *marker;
    enum lex_kind kind;

next:
    start = p;
    /*!re2c
        re2c:define:YYCTYPE  = "unsigned char";
        re2c:define:YYCURSOR = p;
        re2c:define:YYLIMIT  = end;
        re2c:define:YYMARKER = marker;
        re2c:yyfill:enable   = 0;
        re2c:eof             = 0;

        newline = "\r"? "\n";
        blank   = [ \t]+;
        comment = "#" [^\r\n\x00]*;
        word    = [A-Za-z_] [A-Za-z0-9_]*;
        digits  = [0-9]+;
        tail    = [A-Za-z0-9_]*;
        text    = ["] [^"\r\n\x00]*;
        more    = [\x80-\xbf];
        other   = [^\x00\x80-\xff] | [\xc0-\xdf] more | [\xe0-\xef] more{2} | [\xf0-\xff] more{3};

        $                                          { kind = LEX_END; goto found; }
        newline                                    { goto line; }
        blank                                      { goto skip; }
        comment                                    { goto skip; }
        word                                       { kind = LEX_WORD; goto found; }
        word ("-" word)+                           { kind = LEX_DASHED; goto found; }
        text ["]                                   { kind = LEX_STRING; goto found; }
        text                                       { kind = LEX_BAD_STRING; goto found; }
        digits                                     { kind = LEX_NUMBER; goto found; }
        digits ("B" | "KiB" | "MiB" | "GiB")       { kind = LEX_SIZE; goto found; }
        digits ("ns" | "us" | "ms" | "s")          { kind = LEX_DURATION; goto found; }
        digits ("min" | "h")                       { kind = LEX_DURATION; goto found; }
        digits tail                                { kind = LEX_BAD_UNIT; goto found; }
        digits "." digits tail                     { kind = LEX_FRACTION; goto found; }
        "-" digits tail                            { kind = LEX_NEGATIVE; goto found; }
        [{}()=,*/] | ".."                          { kind = LEX_MARK; goto found; }
        other                                      { kind = LEX_OTHER; goto found; }
        *                                          { kind = LEX_OTHER; goto found; }
    */
line:
    lex->line++;
    lex->column = 1;
    goto next;
skip:
    lex->column += count_characters(start, p);
    goto next;
found:
    take(lex, start, p, kind, out);
}
