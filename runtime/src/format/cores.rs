use super::Layout;

/// Processor core that programs are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Core {
    /// Cortex-M0.
    M0,
    /// Cortex-M0+.
    M0Plus,
    /// Cortex-M3.
    M3,
    /// Cortex-M4, with a floating-point unit.
    M4,
    /// Cortex-M7, with a floating-point unit.
    M7,
    /// Cortex-M33, with the DSP instructions and a floating-point unit.
    M33,
    /// Cortex-M55, with the vector extension.
    M55,
    /// Cortex-M85, with the vector extension.
    M85,
    /// RISC-V with 32 bits, multiplication and compressed instructions, such as the ESP32-C3.
    Rv32imc,
    /// RISC-V core of the RP2350. Runs the code of [`Self::Rv32imc`].
    Hazard3,
}

impl Core {
    /// All cores: those of Arm, the smallest first, then RISC-V.
    pub const ALL: &'static [Self] = &[
        Self::M0,
        Self::M0Plus,
        Self::M3,
        Self::M4,
        Self::M7,
        Self::M33,
        Self::M55,
        Self::M85,
        Self::Rv32imc,
        Self::Hazard3,
    ];

    /// Returns the name that commands, messages and files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::M0 => "m0",
            Self::M0Plus => "m0+",
            Self::M3 => "m3",
            Self::M4 => "m4",
            Self::M7 => "m7",
            Self::M33 => "m33",
            Self::M55 => "m55",
            Self::M85 => "m85",
            Self::Rv32imc => "rv32imc",
            Self::Hazard3 => "hazard3",
        }
    }

    /// Returns the core with this name, or `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|core| core.name() == name)
    }

    /// Returns the layout of integer weights that is fastest on the core.
    pub const fn layout(self) -> Layout {
        match self {
            Self::M0 | Self::M0Plus | Self::M3 | Self::Rv32imc | Self::Hazard3 => Layout::Lanes16,
            Self::M4 | Self::M7 | Self::M33 => Layout::Dual16,
            Self::M55 | Self::M85 => Layout::Vector128,
        }
    }

    /// Returns whether the core computes single precision in hardware.
    pub const fn has_fpu(self) -> bool {
        match self {
            Self::M0 | Self::M0Plus | Self::M3 | Self::Rv32imc | Self::Hazard3 => false,
            Self::M4 | Self::M7 | Self::M33 | Self::M55 | Self::M85 => true,
        }
    }

    /// Returns the core named by a target triple and the compiler's `target-cpu`, or `None` if it is not in the list.
    ///
    /// Without `cpu`, returns the smallest core of the target.
    pub fn of_target(target: &str, cpu: Option<&str>) -> Option<Self> {
        match (target.split('-').next()?, cpu) {
            ("thumbv6m", Some("cortex-m0plus")) => Some(Self::M0Plus),
            ("thumbv6m", _) => Some(Self::M0),
            ("thumbv7m", _) => Some(Self::M3),
            ("thumbv7em", Some("cortex-m7")) => Some(Self::M7),
            ("thumbv7em", _) => Some(Self::M4),
            ("thumbv8m.main", Some("cortex-m55")) => Some(Self::M55),
            ("thumbv8m.main", Some("cortex-m85")) => Some(Self::M85),
            ("thumbv8m.main", _) => Some(Self::M33),
            ("riscv32imc", _) => Some(Self::Rv32imc),
            ("riscv32imac", _) => Some(Self::Hazard3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_is_found_by_its_name_and_its_target() {
        let cores = [
            (Core::M0, "m0", "thumbv6m-none-eabi", None),
            (Core::M0Plus, "m0+", "thumbv6m-none-eabi", Some("cortex-m0plus")),
            (Core::M3, "m3", "thumbv7m-none-eabi", None),
            (Core::M4, "m4", "thumbv7em-none-eabihf", None),
            (Core::M7, "m7", "thumbv7em-none-eabihf", Some("cortex-m7")),
            (Core::M33, "m33", "thumbv8m.main-none-eabihf", None),
            (Core::M55, "m55", "thumbv8m.main-none-eabihf", Some("cortex-m55")),
            (Core::M85, "m85", "thumbv8m.main-none-eabihf", Some("cortex-m85")),
            (Core::Rv32imc, "rv32imc", "riscv32imc-unknown-none-elf", None),
            (Core::Hazard3, "hazard3", "riscv32imac-unknown-none-elf", None),
        ];
        assert_eq!(cores.map(|(core, ..)| core), Core::ALL);
        for (core, name, target, cpu) in cores {
            assert_eq!(core.name(), name);
            assert_eq!(Core::from_name(name), Some(core));
            assert_eq!(Core::of_target(target, cpu), Some(core));
            assert_eq!(core.has_fpu(), target.ends_with("eabihf"), "{name}");
        }
        assert_eq!(Core::from_name("m1"), None);
        assert_eq!(Core::of_target("x86_64-unknown-linux-gnu", None), None);
    }
}
