//! The connection to a Redis server: its address, and its errors as ours.
//!
//! Invariant: no password is in an address that is printed, nor in an error.

use std::fmt;
use std::time::Duration;

use redis::{Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError};

use topsell_core::model::{escape_control, hide_secrets};

use crate::error::PublishError;
use crate::target_error::TargetError;

/// Codes of a server that wants another user or password, or refuses a command to this one.
const DENIED: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];

/// The address of a Redis server and the number of a database.
#[derive(Clone)]
pub struct RedisAddress {
    info: ConnectionInfo,
    shown: String,
}

impl RedisAddress {
    pub(crate) fn parse(text: &str) -> Result<RedisAddress, TargetError> {
        let info = text.into_connection_info();
        let info = info.map_err(|e| TargetError::BadRedis(reason(&e)))?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(TargetError::BadRedis("#insecure is not supported".to_owned()));
        }
        Ok(RedisAddress { info, shown: hide_secrets(text) })
    }

    /// Returns the address with a password that was not in the URL.
    #[must_use]
    pub fn with_password(self, password: &str) -> RedisAddress {
        let settings = self.info.redis_settings().clone().set_password(password);
        RedisAddress { info: self.info.set_redis_settings(settings), ..self }
    }

    /// Connects; every later command is answered within the time limit or fails.
    pub(crate) fn connect(&self, timeout: Duration) -> Result<Connection, PublishError> {
        let client = Client::open(self.info.clone()).map_err(|e| self.failure(&e))?;
        let connection = client.get_connection_with_timeout(timeout).map_err(|e| self.failure(&e))?;
        connection.set_read_timeout(Some(timeout)).map_err(|e| self.failure(&e))?;
        connection.set_write_timeout(Some(timeout)).map_err(|e| self.failure(&e))?;
        Ok(connection)
    }

    /// Returns an error of the server or of the connection as ours.
    pub(crate) fn failure(&self, error: &RedisError) -> PublishError {
        let (target, what) = (self.shown.clone(), reason(error));
        let is_denied = error.kind() == ErrorKind::AuthenticationFailed
            || error.code().is_some_and(|code| DENIED.contains(&code));
        match is_denied {
            true => PublishError::Denied { target, what },
            false => PublishError::Failed { target, what },
        }
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// As it is printed: the password is nobody's business.
impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisAddress").field(&self.shown).finish()
    }
}

fn reason(error: &RedisError) -> String {
    match error.is_timeout() {
        true => "it did not answer in time".to_owned(),
        false => escape_control(&error.to_string()),
    }
}
