//! PostgreSQL's messages, in pieces as the network brings them.

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// One side's bytes, taken apart into messages.
pub struct Wire {
    way: Way,
    buffer: Vec<u8>,
    /// Messages have no tag until the session has begun.
    is_tagged: bool,
    /// Another protocol has taken over, or none: whatever comes is one message.
    pub is_raw: bool,
    /// The next byte answers a request to encrypt.
    pub awaits_ssl: bool,
}

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

impl Wire {
    pub fn new(way: Way) -> Wire {
        Wire { way, buffer: Vec::new(), is_tagged: way == Way::ToClient, is_raw: false, awaits_ssl: false }
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What is there without being a whole message.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// The next whole message.
    pub fn next(&mut self) -> Option<Message> {
        if self.buffer.is_empty() {
            return None;
        }
        if self.is_raw {
            return Some(Message { way: self.way, is_tagged: false, bytes: self.rest() });
        }
        if std::mem::take(&mut self.awaits_ssl) {
            let answer = self.buffer.remove(0);
            return Some(Message { way: self.way, is_tagged: false, bytes: vec![answer] });
        }
        let head = if self.is_tagged { 1 } else { 0 };
        let length = self.buffer.get(head..head + 4)?;
        let length = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if self.buffer.len() < length {
            return None;
        }
        let rest = self.buffer.split_off(length);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let message = Message { way: self.way, is_tagged: self.is_tagged, bytes };
        if self.way == Way::ToServer && !message.asks_to_encrypt() {
            self.is_tagged = true;
        }
        Some(message)
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    pub way: Way,
    is_tagged: bool,
    pub bytes: Vec<u8>,
}

impl Message {
    fn code(&self) -> u32 {
        let code = if self.is_tagged { None } else { self.bytes.get(4..8) };
        code.map_or(0, |code| u32::from_be_bytes(code.try_into().unwrap()))
    }

    pub fn asks_to_encrypt(&self) -> bool {
        matches!(self.code(), SSL_REQUEST | GSS_REQUEST)
    }

    pub fn asks_to_cancel(&self) -> bool {
        self.code() == CANCEL_REQUEST
    }

    /// Its tag, and what is worth knowing of the inside: SQL, or what a command came to.
    pub fn summary(&self) -> String {
        if !self.is_tagged {
            let name = match self.way {
                Way::ToClient => "answer to a request to encrypt",
                Way::ToServer if self.asks_to_encrypt() => "request to encrypt",
                Way::ToServer => "startup",
            };
            return name.to_owned();
        }
        let tag = char::from(self.bytes[0]);
        let text = |from: usize| {
            let body = self.bytes.get(from..).unwrap_or_default();
            let end = body.iter().position(|byte| *byte == 0).unwrap_or(body.len());
            format!(
                "{tag} {}",
                String::from_utf8_lossy(&body[..end]).split_whitespace().collect::<Vec<_>>().join(" ")
            )
        };
        match (self.way, tag) {
            (Way::ToServer, 'Q') => text(5),
            (Way::ToServer, 'P') => text(6),
            (Way::ToClient, 'C') => text(5),
            _ => tag.to_string(),
        }
    }

    /// Whether it asks for a commit, or answers that one was done.
    pub fn is_commit(&self) -> bool {
        let text = self.summary();
        match self.way {
            Way::ToServer => text.starts_with('Q') && text.contains("commit"),
            Way::ToClient => text == "C COMMIT",
        }
    }
}
