/* frame, the C library's malloc and free. Variants: "" one after the other, "live" a thousand at a time. */
#include "frame.h"

#include <stdlib.h>

#define TAKE(context) malloc(FRAME_BYTES)
#define GIVE(context, block) free(block)
FRAME_ROUNDS(malloc, TAKE, GIVE)

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    return bench_run(&bench, strcmp(bench.variant, "live") == 0 ? malloc_live : malloc_alternate, NULL);
}
