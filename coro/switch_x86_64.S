/* Switches for x86-64, System V ABI: six registers and a return address on the stack that is left, eight words with one unused.
 * Invariant: at each instruction the unwind rules hold for the stack that %rsp points to. Until it changes, the caller's
 * registers are those that were saved; from then on, the resumed one's are in their places, and its address in %rcx.
 * Each ends in a jump: a `ret` would always be mispredicted, as the processor's stack of returns has never heard of this
 * switch. [CORO-4] in docs/coroutines.md says what that means for the callers of the switch. */
#include "switch.h"

#if TP__SWITCH_X86_64
    .text

    .macro function name
    .globl \name
    .type \name, @function
    .p2align 4
\name:
    .cfi_startproc
    .endm

    .macro end name
    .cfi_endproc
    .size \name, . - \name
    .endm

    .macro save
    leaq -56(%rsp), %rsp
    .cfi_adjust_cfa_offset 56
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
    .endm

/* To the stack in %rax. Its words are loaded through that register: processors guess that what is loaded at a distance from
 * %rsp is what was last stored at that distance, and to be wrong costs as much as the whole switch. */
    .macro cross
    movq 56(%rax), %rcx
    movq 0(%rax), %r15
    movq 8(%rax), %r14
    movq 16(%rax), %r13
    movq 24(%rax), %r12
    movq 32(%rax), %rbx
    movq 40(%rax), %rbp
    .cfi_remember_state
    leaq 64(%rax), %rsp
    .cfi_def_cfa_offset 0
    .cfi_same_value %r15
    .cfi_same_value %r14
    .cfi_same_value %r13
    .cfi_same_value %r12
    .cfi_same_value %rbx
    .cfi_same_value %rbp
    .cfi_register %rip, %rcx
    .endm

/* And on, from there. */
    .macro go_on
    jmp *%rcx
    .cfi_restore_state
    .endm

/* %rdx is a status; the registers were saved, and preserved by who was called. */
    .macro refuse
    movl %edx, %eax
    leaq 56(%rsp), %rsp
    .cfi_def_cfa_offset 8
    .cfi_same_value %r15
    .cfi_same_value %r14
    .cfi_same_value %r13
    .cfi_same_value %r12
    .cfi_same_value %rbx
    .cfi_same_value %rbp
    ret
    .endm

/* void *tp__switch(void **from: %rdi, void *to: %rsi, void *value: %rdx) */
    .hidden tp__switch
    function tp__switch
    save
    movq %rsp, (%rdi)
    movq %rsi, %rax
    cross
    movq %rdx, %rax
    go_on
    end tp__switch

#if TP__CO_ASSEMBLY
    .hidden tp__co_enter
    .hidden tp__co_leave

/* int tp_co_resume(struct tp_co *co: %rdi, void *in: %rsi, void **out: %rdx) */
    function tp_co_resume
    save
    movq %rsp, %rcx
    call tp__co_enter
    testq %rdx, %rdx
    jnz 1f
    cross
    xorl %eax, %eax
    go_on
1:
    testq %rax, %rax
    jz 2f
    .cfi_remember_state
    leaq -16(%rax), %rsp
    .cfi_undefined %rip
    jmp coroutine_entry
    .cfi_restore_state
2:
    refuse
    end tp_co_resume

/* Where a coroutine begins: %rax is its control block, right above its stack. The outermost frame, as below. It leaves by `ret` [CORO-5]: if
 * it was never suspended, each call since the resumer's has been followed by its return. */
    .hidden tp__co_run
    .type coroutine_begin, @function
    .p2align 4
coroutine_begin:
    .cfi_startproc
    .cfi_undefined %rip
    nop
coroutine_entry:
    xorl %ebp, %ebp
    movq %rbp, 0(%rsp)
    movq %rbp, 8(%rsp)
    movq %rax, %rdi
    call tp__co_run
    movl 4(%rdx), %r8d
    movq 0(%rax), %r15
    movq 8(%rax), %r14
    movq 16(%rax), %r13
    movq 24(%rax), %r12
    movq 32(%rax), %rbx
    movq 40(%rax), %rbp
    leaq 56(%rax), %rsp
    .cfi_def_cfa %rsp, 8
    .cfi_offset %rip, -8
    movl %r8d, (%rdx)
    xorl %eax, %eax
    ret
    end coroutine_begin

/* int tp_co_yield(void *out: %rdi, void **in: %rsi). The last store publishes that nobody is on the stack it left; it is a
 * release, as all stores are here. */
    function tp_co_yield
    save
    movq %rsp, %rdx
    call tp__co_leave
    testq %rax, %rax
    jz 1f
    movl 4(%rdx), %r8d
    cross
    movl %r8d, (%rdx)
    xorl %eax, %eax
    go_on
1:
    refuse
    end tp_co_yield
#endif

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
    end switch_begin

/* void *tp__switch_make(void *low: %rdi, void *top: %rsi, void (*begin)(void *, void *): %rdx, void *argument: %rcx)
 * The eight words as `save` leaves them. Above them two words of 0, so that %rsp is a multiple of 16 at the call. */
    .hidden tp__switch_make
    function tp__switch_make
    leaq -80(%rsi), %rax
    xorl %edi, %edi
    leaq switch_entry(%rip), %r8
    movq %rdi, 0(%rax)
    movq %rdi, 8(%rax)
    movq %rdi, 16(%rax)
    movq %rcx, 24(%rax)
    movq %rdx, 32(%rax)
    movq %rdi, 40(%rax)
    movq %r8, 56(%rax)
    movq %rdi, 64(%rax)
    movq %rdi, 72(%rax)
    ret
    end tp__switch_make
#endif

    .section .note.GNU-stack, "", %progbits
