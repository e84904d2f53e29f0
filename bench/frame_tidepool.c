/* frame, Tidepool. Variants: "" one after the other, "live" a thousand at a time; "own" and "own-live" the same by a cache that
 * the program owns; "many" a thousand in one call. */
#include "frame.h"

#include "../coro/frame.h"

FRAME_ROUNDS(plain, tp_frame_new, tp_frame_free)
FRAME_ROUNDS(own, tp_frame_cache_new, tp_frame_cache_free)

static uint64_t many(const struct bench *bench, void *frames)
{
    for (uint64_t n_left = bench->n_tasks, n; n_left > 0; n_left -= n) {
        n = n_left < FRAMES_LIVE ? n_left : FRAMES_LIVE;
        bench_check(tp_frame_new_many(frames, live, n) == n, "no memory");
        for (uint64_t i = 0; i < n; i++)
            written(live[i]);
        tp_frame_free_many(frames, live, n);
    }
    return bench->n_tasks;
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    const struct tp_frames_settings settings = {.bytes = FRAME_BYTES, .align = 64};
    struct tp_frames *frames;
    struct tp_frame_cache cache;
    bench_check(tp_frames_open(&frames, &settings) == 0, "cannot open a pool of frames");
    tp_frame_cache_init(&cache, frames);
    int status;
    if (strncmp(bench.variant, "own", 3) == 0)
        status = bench_run(&bench, strstr(bench.variant, "live") ? own_live : own_alternate, &cache);
    else if (strcmp(bench.variant, "many") == 0)
        status = bench_run(&bench, many, frames);
    else
        status = bench_run(&bench, strcmp(bench.variant, "live") == 0 ? plain_live : plain_alternate, frames);
    tp_frame_cache_fini(&cache);
    bench_check(tp_frames_close(frames) == 0, "frames are still live");
    return status;
}
