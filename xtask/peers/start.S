# Start-up for QEMU's board `virt`, 32 bits: a stack, cleared variables, then main.
    .section .init, "ax"
    .global _start
_start:
    la      sp, _stack_top
    la      t0, _bss_start
    la      t1, _bss_end
1:  sw      zero, 0(t0)
    addi    t0, t0, 4
    bltu    t0, t1, 1b
    call    main
    # Ends the emulator: hw/misc/sifive_test.c, success.
    li      t0, 0x100000
    li      t1, 0x5555
    sw      t1, 0(t0)
2:  j       2b
