//! Figures of other libraries, for comparison.

/// Instructions per character of a library for wavenet-128 with random int8 weights, including tanh, softmax and
/// sampling. CMSIS-NN and TFLM (TensorFlow Lite for Microcontrollers) were measured on the same emulator; see
/// docs/trust/record/performance.md. Those for RISC-V are counted by `cargo xtask peers`, with `-O2`.
pub struct Peer {
    /// Name of the library and how it is used.
    pub name: &'static str,
    /// Core and instructions per character.
    instructions: &'static [(&'static str, u64)],
}

/// The libraries.
pub const PEERS: &[Peer] = &[
    Peer {
        name: "TFLM + CMSIS-NN",
        instructions: &[
            ("Cortex-M0", 2_292_510),
            ("Cortex-M3", 871_555),
            ("Cortex-M4F", 692_769),
            ("Cortex-M55", 373_308),
        ],
    },
    Peer {
        name: "CMSIS-NN",
        instructions: &[
            ("Cortex-M0", 884_192),
            ("Cortex-M3", 468_015),
            ("Cortex-M4F", 291_331),
            ("Cortex-M7", 291_591),
            ("Cortex-M33", 292_354),
            ("Cortex-M55", 35_942),
        ],
    },
    Peer {
        name: "CMSIS-NN, streaming",
        instructions: &[
            ("Cortex-M0", 522_822),
            ("Cortex-M3", 276_960),
            ("Cortex-M4F", 170_017),
            ("Cortex-M7", 170_270),
            ("Cortex-M33", 170_539),
            ("Cortex-M55", 20_906),
        ],
    },
    Peer { name: "ESP-NN", instructions: &[("RV32IMC", 1_184_177)] },
    Peer { name: "ESP-NN, streaming", instructions: &[("RV32IMC", 701_979)] },
    Peer { name: "muRISCV-NN", instructions: &[("RV32IMC", 654_706)] },
    Peer { name: "muRISCV-NN, streaming", instructions: &[("RV32IMC", 388_698)] },
];

impl Peer {
    /// Returns the instructions per character on a core, or `None` if they were not measured.
    pub fn instructions(&self, core: &str) -> Option<u64> {
        self.instructions.iter().find(|(name, _)| *name == core).map(|&(_, instructions)| instructions)
    }
}

/// Published cycles per multiply-accumulate of MLPerf Tiny's anomaly detector, measured on boards.
pub const PUBLISHED: &[(&str, &str)] = &[
    ("Cortex-M0", "9.9 (on M0+)"),
    ("Cortex-M4F", "TFLM 4.57, X-CUBE-AI 2.18, Plumerai 1.84; MicroFlow 8 to 9.6"),
    ("Cortex-M7", "1.15"),
    ("Cortex-M33", "1.87"),
];

/// Returns the published figures for a core.
pub fn published(core: &str) -> &'static str {
    PUBLISHED.iter().find(|(name, _)| *name == core).map_or("", |(_, figures)| figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::BOARDS;

    #[test]
    fn peers_name_cores_of_boards() {
        let known = |core: &str| BOARDS.iter().any(|board| board.core == core);
        let peers = PEERS.iter().flat_map(|peer| peer.instructions);
        assert!(peers.map(|(core, _)| core).chain(PUBLISHED.iter().map(|(core, _)| core)).all(|core| known(core)));
        assert_eq!(PEERS[0].instructions("Cortex-M7"), None);
        assert_eq!(PEERS[2].instructions("Cortex-M4F"), Some(170_017));
    }
}
