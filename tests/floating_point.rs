//! Programs with an integer model contain no floating point. On a core without an FPU every operation would call one of
//! the compiler's routines, and the programs have none of them.

use object::{Object, ObjectSymbol};
use tests::Firmware;

/// Returns the software floating-point routines in a program, by name.
fn soft_float(firmware: &Firmware) -> Vec<String> {
    let bytes = std::fs::read(firmware.elf()).expect("an ELF file");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let names: Vec<_> = file.symbols().map(|symbol| symbol.name().expect("a name").to_owned()).collect();
    assert!(names.iter().any(|name| name == "main"), "no symbols to look at");
    names.into_iter().filter(|name| is_soft_float(name)).collect()
}

/// Returns whether a symbol is a floating-point routine, either of Arm's run-time ABI or of the compiler's library
/// under its own names.
fn is_soft_float(name: &str) -> bool {
    if let Some(routine) = name.strip_prefix("__aeabi_") {
        // Floating point: `fmul`, `dadd`, comparisons `cfcmple`, conversions `i2f`, `ul2d`, `h2f`. Integers: `uidiv`,
        // `lmul`, `memcpy`.
        return routine.starts_with(['f', 'd', 'h'])
            || routine.starts_with("cf")
            || routine.starts_with("cd")
            || routine.contains("2f")
            || routine.contains("2d");
    }
    // `__mulsf3`, `__floatsidf`, `__fixsfsi`: sf and df are the types. Mangled: compiler_builtins::float::...
    let own = name.starts_with("__") && (name.contains("sf") || name.contains("df"));
    own || (name.contains("compiler_builtins") && name.contains("float"))
}

#[test]
fn symbols_are_told_apart() {
    for name in ["__aeabi_fmul", "__aeabi_dadd", "__aeabi_i2f", "__aeabi_ul2d", "__aeabi_cfcmple", "__aeabi_f2iz"] {
        assert!(is_soft_float(name), "{name}");
    }
    for name in ["__mulsf3", "__adddf3", "__floatunsisf", "__fixdfdi", "_ZN17compiler_builtins5float3add17h0E"] {
        assert!(is_soft_float(name), "{name}");
    }
    for name in ["__aeabi_uldivmod", "__aeabi_lmul", "__aeabi_memcpy4", "__aeabi_idiv", "__sidata", "__udivmoddi4"] {
        assert!(!is_soft_float(name), "{name}");
    }
}

#[test]
fn integer_programs_have_no_floating_point() {
    for board in ["mps2-an385", "microbit", "riscv-virt"] {
        for blob in ["names.int8.blob", "names.int4.blob"] {
            for bin in ["generate", "selftest"] {
                let found = soft_float(&Firmware::build(board, bin, blob));
                assert!(found.is_empty(), "{bin} with {blob} for {board} has {found:?}");
            }
        }
    }
}

/// Proves that the test above would find floating point.
#[test]
fn a_program_in_single_precision_has() {
    for (board, routines) in
        [("mps2-an385", ["__aeabi_fmul", "__aeabi_fadd"]), ("riscv-virt", ["__mulsf3", "__addsf3"])]
    {
        let found = soft_float(&Firmware::build(board, "generate", "names.blob"));
        for routine in routines {
            assert!(found.iter().any(|name| name == routine), "no {routine} in {found:?}");
        }
    }
}
