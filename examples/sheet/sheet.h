/* The payload of both pools, which the generated headers include. */
#ifndef SHEET_H
#define SHEET_H

#include <stdint.h>

#include <tidepool.h>

/* One cell of the sheet; it stays where it is until the sheet goes. */
struct cell {
    const char *text;        /* what is written in it: numbers, separated by commas */
    struct cell *inputs[3];  /* the cells whose values it adds; NULL in the first row */
    uint64_t value;          /* written by its task */
    struct tp_handle *known; /* over when the value is known; only while cells wait for each other */
    _Atomic uint32_t asked;  /* somebody has submitted its task */
};

#endif
