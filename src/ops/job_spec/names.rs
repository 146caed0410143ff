//! Which names jobs and environment variables may have.

const MAX_NAME: usize = 64;

/// Returns whether a shell accepts this as the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit()
}

/// Checks a job's name, which becomes part of file names; returns an error message.
pub(super) fn check_job_name(name: &str) -> Result<(), String> {
    let is_valid = name.bytes().all(is_name_byte);
    match name {
        name if is_valid && (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('.') => Ok(()),
        name => Err(format!(
            "invalid job name `{name}`: use 1 to {MAX_NAME} letters A-Z a-z, digits, -, _ and ., not starting with ."
        )),
    }
}

/// Returns whether a byte may occur in a job's name.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}
