/* Switches for aarch64, AAPCS64: x19 to x30 and the low halves of v8 to v15, 160 bytes on the stack that is left.
 * Invariant: at each instruction the unwind rules hold for the stack that sp points to. Both stacks hold the same registers
 * in the same order at the moment sp changes, so the rules need not know which of the two it is.
 * Each ends in a branch: a `ret` would always be mispredicted, as the processor's stack of returns has never heard of this
 * switch. [CORO-4] in docs/coroutines.md says what that means for the callers of the switch. */
#include "switch.h"

#if TP__SWITCH_AARCH64
    .text

    .macro function name
    .globl \name
    .type \name, %function
    .p2align 4
\name:
    .cfi_startproc
    .endm

    .macro end name
    .cfi_endproc
    .size \name, . - \name
    .endm

    .macro saved_here
    .cfi_def_cfa sp, 160
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28
    .cfi_rel_offset x\n, 16 + 8 * (\n - 19)
    .endr
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    .cfi_rel_offset d\n, 96 + 8 * (\n - 8)
    .endr
    .endm

    .macro save
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x29, x30, [sp, #0]
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    saved_here
    .endm

    .macro saved_nothing
    .cfi_def_cfa_offset 0
    .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    .cfi_same_value x\n
    .endr
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    .cfi_same_value d\n
    .endr
    .endm

/* After sp has changed; `how` is the instruction that jumps to x30. */
    .macro go_on how:vararg
    ldp x29, x30, [sp, #0]
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    .cfi_remember_state
    add sp, sp, #160
    saved_nothing
    \how
    .cfi_restore_state
    .endm

/* x1 is a status; the registers were saved, and preserved by who was called, but for x29 and x30. */
    .macro refuse
    mov w0, w1
    ldp x29, x30, [sp, #0]
    add sp, sp, #160
    saved_nothing
    ret
    .endm

/* void *tp__switch(void **from: x0, void *to: x1, void *value: x2) */
    .hidden tp__switch
    function tp__switch
    save
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    mov x0, x2
    go_on br x30
    end tp__switch

#if TP__CO_ASSEMBLY
    .hidden tp__co_enter
    .hidden tp__co_leave

/* int tp_co_resume(struct tp_co *co: x0, void *in: x1, void **out: x2) */
    function tp_co_resume
    save
    mov x29, sp
    mov x3, sp
    bl tp__co_enter
    cbnz x1, 1f
    mov sp, x0
    mov w0, #0
    go_on br x30
1:
    cbz x0, 2f
    .cfi_remember_state
    sub sp, x0, #16
    .cfi_undefined x30
    b coroutine_entry
    .cfi_restore_state
2:
    refuse
    end tp_co_resume

/* Where a coroutine begins: x0 is its control block, right above its stack. The outermost frame, as below. It leaves by `ret` [CORO-5]: if
 * it was never suspended, each call since the resumer's has been followed by its return. */
    .hidden tp__co_run
    .type coroutine_begin, %function
    .p2align 4
coroutine_begin:
    .cfi_startproc
    .cfi_undefined x30
    nop
coroutine_entry:
    stp xzr, xzr, [sp]
    mov x29, xzr
    bl tp__co_run
    mov sp, x0
    saved_here
    ldr w9, [x1, #4]
    stlr w9, [x1]
    mov w0, #0
    go_on ret
    end coroutine_begin

/* int tp_co_yield(void *out: x0, void **in: x1). The store-release publishes that nobody is on the stack it left. */
    function tp_co_yield
    save
    mov x29, sp
    mov x2, sp
    bl tp__co_leave
    cbz x0, 1f
    mov sp, x0
    ldr w9, [x1, #4]
    stlr w9, [x1]
    mov w0, #0
    go_on br x30
1:
    refuse
    end tp_co_yield
#endif

/* Where a new stack begins: x0 is the value, x19 the function, x20 its argument. The outermost frame: its caller is
 * undefined. Unwinders look up the address before the one to return to, hence the nop in front. */
    .type switch_begin, %function
    .p2align 4
switch_begin:
    .cfi_startproc
    .cfi_undefined x30
    nop
switch_entry:
    mov x1, x20
    blr x19
    brk #1
    end switch_begin

/* void *tp__switch_make(void *low: x0, void *top: x1, void (*begin)(void *, void *): x2, void *argument: x3)
 * The registers as `save` leaves them. */
    .hidden tp__switch_make
    function tp__switch_make
    sub x0, x1, #176
    adrp x9, switch_entry
    add x9, x9, #:lo12:switch_entry
    stp xzr, x9, [x0, #0]
    stp x2, x3, [x0, #16]
    .irp at, 32, 48, 64, 80, 96, 112, 128, 144, 160
    stp xzr, xzr, [x0, #\at]
    .endr
    ret
    end tp__switch_make
#endif

    .section .note.GNU-stack, "", %progbits
