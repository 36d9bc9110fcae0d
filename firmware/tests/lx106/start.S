    /* Enters C on a bare LX106 under QEMU: stack, constructors, main, exit by simcall. */
    .section .text.start, "ax"
    .align 4
    .global _start
_start:
    .literal_position
    movi    a1, stack_top
    movi    a12, init_array_start
    movi    a13, init_array_end
1:  bgeu    a12, a13, 2f
    l32i    a0, a12, 0
    callx0  a0
    addi    a12, a12, 4
    j       1b
2:  call0   main
    mov     a3, a2
    movi    a2, 1
    simcall
3:  j       3b

    /* long simulator_write(int file, const void *bytes, size_t size): simcall number 4 */
    .section .text.simulator_write, "ax"
    .align 4
    .global simulator_write
simulator_write:
    mov     a5, a4
    mov     a4, a3
    mov     a3, a2
    movi    a2, 4
    simcall
    ret
