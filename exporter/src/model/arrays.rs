//! Converts between libtorch's tensors and ndarray's arrays: row-major copies with the same values.

use ndarray::{Array1, Array2};
use tch::kind::Element;
use tch::{Device, TchError, Tensor};

/// Copies a matrix to a tensor of the same shape, on the CPU.
///
/// # Panics
/// If a dimension exceeds 2^63.
pub fn from_matrix<T: Element + Copy>(array: &Array2<T>) -> Tensor {
    let shape = [array.nrows(), array.ncols()].map(|n| i64::try_from(n).expect("a dimension"));
    let values: Vec<T> = array.iter().copied().collect();
    Tensor::from_slice(&values).view(shape)
}

/// Copies a vector to a tensor, on the CPU.
pub fn from_vector<T: Element + Copy>(array: &Array1<T>) -> Tensor {
    let values: Vec<T> = array.iter().copied().collect();
    Tensor::from_slice(&values)
}

/// Copies a tensor of two dimensions to a matrix, without its gradients.
///
/// # Panics
/// If the tensor has another number of dimensions or another type.
pub fn to_matrix<T: Element>(tensor: &Tensor) -> Array2<T>
where
    Vec<T>: TryFrom<Tensor, Error = TchError>,
{
    let (rows, columns) = tensor.size2().expect("a matrix");
    let shape = [rows, columns].map(|n| usize::try_from(n).expect("a dimension"));
    let values = to_vector(&tensor.reshape([-1])).to_vec();
    Array2::from_shape_vec(shape, values).expect("as many values as the shape asks for")
}

/// Copies a tensor of one dimension to a vector, without its gradients.
///
/// # Panics
/// If the tensor has another number of dimensions or another type.
pub fn to_vector<T: Element>(tensor: &Tensor) -> Array1<T>
where
    Vec<T>: TryFrom<Tensor, Error = TchError>,
{
    let values = Vec::try_from(tensor.detach().to_device(Device::Cpu)).expect("a vector of that kind");
    Array1::from_vec(values)
}
