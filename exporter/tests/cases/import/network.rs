//! A small network as a `state_dict`, and its logits by definition.

/// Tensor of a file.
#[derive(Clone)]
struct Entry {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Contents of a safetensors file, before it is written.
#[derive(Clone, Default)]
pub struct File {
    entries: Vec<Entry>,
    pub metadata: Vec<(&'static str, String)>,
}

impl File {
    /// Adds a tensor of pseudo-random numbers, the same ones every time.
    pub fn add(&mut self, name: &str, shape: &[usize], seed: u64) {
        let mut values = numbers(shape.iter().product(), seed);
        if name.ends_with("running_var") {
            values.iter_mut().for_each(|value| *value = value.abs() + 0.5);
        }
        self.raw(name, "F32", shape, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    pub fn raw(&mut self, name: &str, dtype: &'static str, shape: &[usize], bytes: Vec<u8>) {
        self.entries.push(Entry { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes });
    }

    /// Replaces a tensor's shape and numbers.
    pub fn set(&mut self, name: &str, shape: &[usize]) {
        self.remove(name);
        self.add(name, shape, 77);
    }

    pub fn remove(&mut self, name: &str) {
        self.entry(name);
        self.entries.retain(|entry| entry.name != name);
    }

    pub fn rename(&mut self, change: &dyn Fn(&str) -> String) {
        self.entries.iter_mut().for_each(|entry| entry.name = change(&entry.name));
    }

    /// Adds a copy of a tensor with halved numbers, under another name.
    pub fn copy(&mut self, name: &str, to: &str) {
        let halves = self.values(name).iter().flat_map(|value| (value / 2.0).to_le_bytes()).collect();
        let shape = self.entry(name).shape.clone();
        self.raw(to, "F32", &shape, halves);
    }

    pub fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.name.clone()).collect()
    }

    fn entry(&self, name: &str) -> &Entry {
        self.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.entry(name).bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        let metadata = self.metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into()));
        header.insert("__metadata__".to_owned(), serde_json::Value::Object(metadata.collect()));
        let mut data = Vec::new();
        for Entry { name, dtype, shape, bytes } in &self.entries {
            let offsets = [data.len(), data.len() + bytes.len()];
            data.extend(bytes);
            let info = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets });
            header.insert(name.clone(), info);
        }
        let header = serde_json::Value::Object(header).to_string().into_bytes();
        [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
    }
}

/// Returns pseudo-random numbers, -1 to 1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| draw()).collect()
}

/// Number of characters of [`network`].
const VOCAB: &str = ".abcdefg";

/// Returns a network of two levels with the names of `nn.Sequential`: 3 values per character, levels of width 5 and 6.
pub fn network() -> File {
    let mut file = File { metadata: vec![("vocab", VOCAB.to_owned())], ..File::default() };
    file.add("0.weight", &[8, 3], 1);
    for (linear, norm, fan_in, fan_out) in [(2, 3, 6, 5), (5, 6, 10, 6)] {
        file.add(&format!("{linear}.weight"), &[fan_out, fan_in], linear);
        for (seed, part) in ["weight", "bias", "running_mean", "running_var"].iter().enumerate() {
            file.add(&format!("{norm}.{part}"), &[fan_out], 10 * norm + seed as u64);
        }
    }
    file.add("8.weight", &[8, 6], 8);
    file.add("8.bias", &[8], 9);
    file
}

/// Computes the logits of [`network`] for a context of four characters.
fn logits(file: &File, context: &[usize]) -> Vec<f64> {
    let values = |name: &str| file.values(name).into_iter().map(f64::from).collect::<Vec<f64>>();
    let linear = |weight: &[f64], x: &[f64]| -> Vec<f64> {
        weight.chunks(x.len()).map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect()
    };
    let embedding = values("0.weight");
    let mut x: Vec<Vec<f64>> = context.iter().map(|&token| embedding[3 * token..3 * token + 3].to_vec()).collect();
    for (level, norm) in [("2", "3"), ("5", "6")] {
        let weight = values(&format!("{level}.weight"));
        let [gamma, beta, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|part| values(&format!("{norm}.{part}")));
        let node = |pair: &[Vec<f64>]| -> Vec<f64> {
            let rows = linear(&weight, &pair.concat());
            let normal =
                |(at, row): (usize, f64)| gamma[at] * (row - mean[at]) / (variance[at] + 1e-5).sqrt() + beta[at];
            rows.into_iter().enumerate().map(normal).map(f64::tanh).collect()
        };
        x = x.chunks(2).map(node).collect();
    }
    linear(&values("8.weight"), &x[0]).iter().zip(values("8.bias")).map(|(sum, bias)| sum + bias).collect()
}

/// Returns golden contexts and logits of [`network`]; the contexts are padded with row 0.
pub fn golden() -> Vec<u8> {
    golden_of(|row| row.to_vec(), "F32")
}

/// Returns golden contexts and logits of [`network`], with the logits changed and stored in `dtype`.
pub fn golden_of(change: impl Fn(&[f64]) -> Vec<f64>, dtype: &'static str) -> Vec<u8> {
    let network = network();
    let (mut contexts, mut stored) = (Vec::new(), Vec::new());
    const ROWS: usize = 40;
    for row in 0..ROWS {
        let context: Vec<usize> =
            (0..4).map(|at| if at < 3 - row % 4 { 0 } else { 1 + (row * 5 + at * 3) % 7 }).collect();
        contexts.extend(context.iter().flat_map(|&token| (token as i64).to_le_bytes()));
        for logit in change(&logits(&network, &context)) {
            match dtype {
                "F16" => stored.extend(half::f16::from_f64(logit).to_le_bytes()),
                "BF16" => stored.extend(half::bf16::from_f64(logit).to_le_bytes()),
                _ => stored.extend((logit as f32).to_le_bytes()),
            }
        }
    }
    let mut file = File::default();
    file.raw("contexts", "I64", &[ROWS, 4], contexts);
    file.raw("logits", dtype, &[ROWS, 8], stored);
    file.bytes()
}

/// Computes the log-softmax of logits.
pub fn log_softmax(row: &[f64]) -> Vec<f64> {
    let sum = row.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    row.iter().map(|logit| logit - sum).collect()
}
