/* tp__switch for x86-64, System V ABI: six registers and a return address, seven words on the stack that is left.
 * Invariant: at each instruction the unwind rules hold for the stack that %rsp points to. Both stacks hold the same seven
 * words in the same order at the moment %rsp changes, so the rules need not know which of the two it is.
 * Ends in a jump: a `ret` would always be mispredicted, as the processor's stack of returns has never heard of this switch. */
#include "switch.h"

#if TP__SWITCH_X86_64
    .text

/* void *tp__switch(void **from: %rdi, void *to: %rsi, void *value: %rdx) */
    .globl tp__switch
    .hidden tp__switch
    .type tp__switch, @function
    .p2align 4
tp__switch:
    .cfi_startproc
    leaq -48(%rsp), %rsp
    .cfi_adjust_cfa_offset 48
    movq %r15, 0(%rsp)
    movq %r14, 8(%rsp)
    movq %r13, 16(%rsp)
    movq %r12, 24(%rsp)
    movq %rbx, 32(%rsp)
    movq %rbp, 40(%rsp)
    .cfi_rel_offset %r15, 0
    .cfi_rel_offset %r14, 8
    .cfi_rel_offset %r13, 16
    .cfi_rel_offset %r12, 24
    .cfi_rel_offset %rbx, 32
    .cfi_rel_offset %rbp, 40
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    movq 48(%rsp), %rcx
    movq 0(%rsp), %r15
    movq 8(%rsp), %r14
    movq 16(%rsp), %r13
    movq 24(%rsp), %r12
    movq 32(%rsp), %rbx
    movq 40(%rsp), %rbp
    movq %rdx, %rax
    leaq 56(%rsp), %rsp
    .cfi_def_cfa_offset 0
    .cfi_same_value %r15
    .cfi_same_value %r14
    .cfi_same_value %r13
    .cfi_same_value %r12
    .cfi_same_value %rbx
    .cfi_same_value %rbp
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_endproc
    .size tp__switch, . - tp__switch

/* Where a new stack begins: %rax is the value, %rbx the function, %r12 its argument. The outermost frame: its caller is
 * undefined. Unwinders look up the address before the one to return to, hence the nop in front. */
    .type switch_begin, @function
    .p2align 4
switch_begin:
    .cfi_startproc
    .cfi_undefined %rip
    nop
switch_entry:
    movq %rax, %rdi
    movq %r12, %rsi
    call *%rbx
    ud2
    .cfi_endproc
    .size switch_begin, . - switch_begin

/* void *tp__switch_make(void *low: %rdi, void *top: %rsi, void (*begin)(void *, void *): %rdx, void *argument: %rcx)
 * The seven words as tp__switch leaves them. Above them two words of 0, so that %rsp is a multiple of 16 at the call. */
    .globl tp__switch_make
    .hidden tp__switch_make
    .type tp__switch_make, @function
    .p2align 4
tp__switch_make:
    .cfi_startproc
    leaq -72(%rsi), %rax
    xorl %edi, %edi
    leaq switch_entry(%rip), %r8
    movq %rdi, 0(%rax)
    movq %rdi, 8(%rax)
    movq %rdi, 16(%rax)
    movq %rcx, 24(%rax)
    movq %rdx, 32(%rax)
    movq %rdi, 40(%rax)
    movq %r8, 48(%rax)
    movq %rdi, 56(%rax)
    movq %rdi, 64(%rax)
    ret
    .cfi_endproc
    .size tp__switch_make, . - tp__switch_make
#endif

    .section .note.GNU-stack, "", %progbits
