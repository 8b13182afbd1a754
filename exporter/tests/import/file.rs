//! Safetensors files made byte by byte, so that they can also be invalid.

/// Entry of the header, and its bytes.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub dtype: &'static str,
    /// Text of the shape in the header.
    pub shape: String,
    pub bytes: Vec<u8>,
    /// Text of the offsets in the header; `None` for the correct ones.
    pub offsets: Option<String>,
}

/// Contents of a file, before it is written.
#[derive(Clone, Default)]
pub struct File {
    pub entries: Vec<Entry>,
    /// JSON of `__metadata__`, left out if empty.
    pub metadata: String,
}

/// Returns pseudo-random numbers, the same ones for the same seed, -0.5 to 0.5.
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..count).map(|_| draw()).collect()
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl File {
    pub fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.raw(name, "F32", shape, f32s(values));
    }

    pub fn raw(&mut self, name: &str, dtype: &'static str, shape: &[usize], bytes: Vec<u8>) {
        self.entries.push(Entry { name: name.to_owned(), dtype, shape: format!("{shape:?}"), bytes, offsets: None });
    }

    pub fn entry(&mut self, name: &str) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// Replaces a tensor of f32.
    pub fn set(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let entry = self.entry(name);
        entry.shape = format!("{shape:?}");
        entry.bytes = f32s(values);
    }

    /// Replaces one value of a tensor of f32.
    pub fn poke(&mut self, name: &str, at: usize, value: f32) {
        self.entry(name).bytes[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
    }

    pub fn remove(&mut self, name: &str) {
        self.entry(name);
        self.entries.retain(|entry| entry.name != name);
    }

    pub fn header(&self) -> String {
        let mut at = 0;
        let mut parts = Vec::new();
        if !self.metadata.is_empty() {
            parts.push(format!("\"__metadata__\":{}", self.metadata));
        }
        for entry in &self.entries {
            let offsets = format!("[{at},{}]", at + entry.bytes.len());
            at += entry.bytes.len();
            let offsets = entry.offsets.as_ref().unwrap_or(&offsets);
            let (name, dtype, shape) = (&entry.name, entry.dtype, &entry.shape);
            parts.push(format!(r#"{name:?}:{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#));
        }
        format!("{{{}}}", parts.join(","))
    }

    pub fn bytes(&self) -> Vec<u8> {
        with_header(
            self.header().as_bytes(),
            &self.entries.iter().flat_map(|entry| entry.bytes.clone()).collect::<Vec<_>>(),
        )
    }
}

pub fn with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

/// Characters of the rows of [`network`]'s embedding.
pub const VOCAB: &str = ".abcd";

/// Returns a network of two levels with the names of `nn.Sequential`: embedding 0, levels 2 and 3, 6 and 7, output 10.
/// It has 3 values per character and levels of width 4 and 6.
pub fn network() -> File {
    let mut file = File::default();
    let mut seed = 0;
    let mut add = |name: &str, shape: &[usize]| {
        seed += 1;
        file.add(name, shape, &numbers(shape.iter().product(), seed));
    };
    add("0.weight", &[5, 3]);
    for (linear, norm, fan_in, fan_out) in [(2, 3, 6, 4), (6, 7, 8, 6)] {
        add(&format!("{linear}.weight"), &[fan_out, fan_in]);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(&format!("{norm}.{part}"), &[fan_out]);
        }
    }
    add("10.weight", &[5, 6]);
    add("10.bias", &[5]);
    for norm in ["3", "7"] {
        let name = format!("{norm}.running_var");
        let positive: Vec<f32> = values(file.entry(&name)).iter().map(|value| value + 0.75).collect();
        let len = positive.len();
        file.set(&name, &[len], &positive);
        file.raw(&format!("{norm}.num_batches_tracked"), "I64", &[], 600_i64.to_le_bytes().to_vec());
    }
    file
}

pub fn values(entry: &Entry) -> Vec<f32> {
    entry.bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}
