/* tp__switch for aarch64, AAPCS64: x19 to x30 and the low halves of v8 to v15, 160 bytes on the stack that is left.
 * Invariant: at each instruction the unwind rules hold for the stack that sp points to. Both stacks hold the same registers
 * in the same order at the moment sp changes, so the rules need not know which of the two it is.
 * Ends in a branch: a `ret` would always be mispredicted, as the processor's stack of returns has never heard of this switch. */
#include "switch.h"

#if TP__SWITCH_AARCH64
    .text

/* void *tp__switch(void **from: x0, void *to: x1, void *value: x2) */
    .globl tp__switch
    .hidden tp__switch
    .type tp__switch, %function
    .p2align 4
tp__switch:
    .cfi_startproc
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
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    .cfi_rel_offset x19, 16
    .cfi_rel_offset x20, 24
    .cfi_rel_offset x21, 32
    .cfi_rel_offset x22, 40
    .cfi_rel_offset x23, 48
    .cfi_rel_offset x24, 56
    .cfi_rel_offset x25, 64
    .cfi_rel_offset x26, 72
    .cfi_rel_offset x27, 80
    .cfi_rel_offset x28, 88
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mov x9, sp
    str x9, [x0]
    mov sp, x1
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
    mov x0, x2
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    .cfi_same_value x29
    .cfi_same_value x30
    .cfi_same_value x19
    .cfi_same_value x20
    .cfi_same_value x21
    .cfi_same_value x22
    .cfi_same_value x23
    .cfi_same_value x24
    .cfi_same_value x25
    .cfi_same_value x26
    .cfi_same_value x27
    .cfi_same_value x28
    .cfi_same_value d8
    .cfi_same_value d9
    .cfi_same_value d10
    .cfi_same_value d11
    .cfi_same_value d12
    .cfi_same_value d13
    .cfi_same_value d14
    .cfi_same_value d15
    br x30
    .cfi_endproc
    .size tp__switch, . - tp__switch

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
    .cfi_endproc
    .size switch_begin, . - switch_begin

/* void *tp__switch_make(void *low: x0, void *top: x1, void (*begin)(void *, void *): x2, void *argument: x3)
 * The registers as tp__switch leaves them. */
    .globl tp__switch_make
    .hidden tp__switch_make
    .type tp__switch_make, %function
    .p2align 4
tp__switch_make:
    .cfi_startproc
    sub x0, x1, #176
    adrp x9, switch_entry
    add x9, x9, #:lo12:switch_entry
    stp xzr, x9, [x0, #0]
    stp x2, x3, [x0, #16]
    stp xzr, xzr, [x0, #32]
    stp xzr, xzr, [x0, #48]
    stp xzr, xzr, [x0, #64]
    stp xzr, xzr, [x0, #80]
    stp xzr, xzr, [x0, #96]
    stp xzr, xzr, [x0, #112]
    stp xzr, xzr, [x0, #128]
    stp xzr, xzr, [x0, #144]
    stp xzr, xzr, [x0, #160]
    ret
    .cfi_endproc
    .size tp__switch_make, . - tp__switch_make
#endif

    .section .note.GNU-stack, "", %progbits
