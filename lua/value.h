/* Values as bytes: how they travel between states (docs/lua.md says which do).
 *
 * A message is a header (number of objects, number of values), the values, and then the contents
 * of each object in the order of their numbers. A table or function is written in full once, where
 * it is first met, as an empty object with the next number; its contents come later and may refer
 * to any object by number. So cycles and shared references need nothing special, and no depth of
 * nesting needs more than one turn of a loop. */
#ifndef TIDE_VALUE_H
#define TIDE_VALUE_H

#include "buffer.h"
#include "tide.h"

struct tide_code;

/* What there is to be sent. */
struct tide_parcel {
    const char *what; /* "argument", "result", ...: for the path in an error */
    int function;     /* stack index of the function, 0 if there is none */
    int first, n;     /* stack indices of the values */
};

enum tide_tag {
    TIDE_NIL,
    TIDE_FALSE,
    TIDE_TRUE,
    TIDE_INTEGER, /* lua_Integer */
    TIDE_FLOAT,   /* lua_Number */
    TIDE_SHORT,   /* uint8_t n, n bytes */
    TIDE_LONG,    /* uint64_t n, n bytes */
    TIDE_GLOBALS, /* the table of globals of whoever reads it */
    TIDE_OBJECT,  /* uint32_t number */
    TIDE_TABLE,   /* a new object: uint32_t, uint32_t: sizes expected of its two parts */
    TIDE_DUMP,    /* a new object: uint64_t n, n bytes of bytecode */
    TIDE_JOINED,  /* only an upvalue: uint32_t number of a function, uint8_t: shares its n-th upvalue */
    TIDE_END      /* after the fields of a table */
};

/* The first bytes of a message. */
struct tide_header {
    uint32_t n_objects;
    uint32_t n_values;
    bool function; /* a function comes with it: object 1, and its code travels apart */
    bool simple;   /* whose upvalues are all the globals, so they are not written */
};

/* tide_encode: write a message.
 * buffer: emptied first; what it holds after an error is undefined.
 * Returns 0, or -1 with the reason pushed, such as "cannot send argument #1.cb (a C function)".
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: rarely] */
int tide_encode(lua_State *L, struct tide_buffer *buffer, const struct tide_parcel *parcel);

/* tide_decode: push the values of a message, first the function if there is one.
 * code: the function's; NULL if there is none.
 * Returns how many were pushed. Raises only for want of memory or stack.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
int tide_decode(lua_State *L, const struct tide_buffer *buffer, const struct tide_code *code);

enum { TIDE_FEW_OBJECTS = 8 /* so many need no table to be remembered in: they are on the stack */ };

/* Where the encoder is: the object or the parcel whose contents it writes, and at what in it. */
struct tide_encoder {
    lua_State *L;
    struct tide_buffer *buffer;
    const struct tide_parcel *parcel;
    /* The first objects are at the stack indices few + number, which also keeps them alive; the
     * others are in the table at `seen`: object -> number, number -> object, and -number -> the
     * number of the object it was met in. The table is nil until it is needed; then it knows all. */
    const void *few_addresses[TIDE_FEW_OBJECTS + 1];
    uint32_t few_parents[TIDE_FEW_OBJECTS + 1];
    int few, seen;
    uint32_t n_objects;
    uint32_t at; /* number of the object being written; 0: the parcel itself */
    enum { TIDE_AT_VALUE,
        TIDE_AT_ITEM,
        TIDE_AT_FIELD,
        TIDE_AT_KEY,
        TIDE_AT_UPVALUE } place;
    lua_Integer index;   /* of the value, item or upvalue */
    int key;             /* stack index of the field's key */
    const char *failure; /* what is wrong with the value that cannot be sent */
};

/* tide_encoder_push: push the object with this number.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
void tide_encoder_push(const struct tide_encoder *encoder, uint32_t number);

/* tide_encoder_parent: the number of the object in which this one was first met; 0: the parcel.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: no] */
uint32_t tide_encoder_parent(const struct tide_encoder *encoder, uint32_t number);

/* tide_push_path: push the encoder's failure with the path to the value, in path.c.
 * [thread: owning state] [suspends: no] [blocks: no] [allocates: yes] */
void tide_push_path(struct tide_encoder *encoder);

#endif
