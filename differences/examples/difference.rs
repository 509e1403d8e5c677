//! Makes and applies differences between files, and measures it.
//!
//!     difference make BASE NEW DIFFERENCE
//!     difference apply BASE DIFFERENCE NEW
//!     difference whole NEW.zst NEW
//!
//! The last one decompresses a whole image (`zstd -19 --long=27`), to compare. Each prints seconds,
//! and the peak of its memory, which the system counts.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::time::Instant;

use edgec_differences::{HEADER_LENGTH, Header, apply, make, memory_for};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let begin = Instant::now();
    match arguments[..] {
        ["make", base, new, difference] => {
            let (base, new) = (std::fs::read(base)?, std::fs::read(new)?);
            std::fs::write(difference, make(&base, &new, 19, &mut |_| ())?)?;
        }
        ["apply", base, difference, new] => {
            let start = std::fs::read(difference)?;
            let start = start.first_chunk::<HEADER_LENGTH>();
            let header = Header::decode(start.ok_or("the difference is too short")?)?;
            let mut base = File::open(base)?;
            let difference = BufReader::new(File::open(difference)?);
            let mut new = BufWriter::new(File::create(new)?);
            apply(&mut base, difference, header.length, memory_for(), &mut new)?;
            new.flush()?;
        }
        ["whole", compressed, new] => {
            let mut decoder = zstd::Decoder::new(File::open(compressed)?)?;
            decoder.window_log_max(27)?;
            let mut new = BufWriter::new(File::create(new)?);
            std::io::copy(&mut decoder, &mut new)?;
            new.flush()?;
        }
        _ => return Err("difference make|apply|whole FILE...".into()),
    }
    let took = begin.elapsed();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut peak = status
        .lines()
        .filter_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.next().unwrap_or(" unknown").trim();
    println!("{:.3} s, peak {peak}", took.as_secs_f64());
    Ok(())
}
