//! Which processors this process may use: affinity mask and cgroup CPU quota respected.
use std::io;
/// A processor of the machine, by the kernel's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu(pub usize);
/// The processors to run on: all usable (affinity mask, then at most the cgroup's quota rounded up), or `wanted`
/// cores dealt over them round-robin (more than there are is allowed; they share).
pub fn cpus(wanted: Option<usize>) -> io::Result<Vec<Cpu>> { todo!() }
