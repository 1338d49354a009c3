//! Packs commands as `lib/commands.ts` does.

/// Flags of messages.
pub const VOLATILE: u32 = 1;
pub const COMPRESS: u32 = 2;
pub const NOTIFY: u32 = 4;

/// What a session is opened with. Heartbeats are slow enough to stay out of the way unless a test wants them.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub is_websocket: bool,
    pub ping_interval_ms: u32,
    pub ping_timeout_ms: u32,
    pub upgrade_timeout_ms: u32,
    pub max_payload: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_websocket: false,
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            upgrade_timeout_ms: 10_000,
            max_payload: 1_000_000,
        }
    }
}

/// One part of a message.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// Whom a broadcast is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    pub is_filtered: bool,
    pub rooms: &'a [u32],
    pub members: &'a [u32],
    pub except_rooms: &'a [u32],
    pub except_members: &'a [u32],
}

/// A buffer of packed commands.
#[derive(Clone, Debug, Default)]
pub struct Commands(Vec<u8>);

impl Commands {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn open(&mut self, slot: u32, options: Options) -> &mut Self {
        let handshake = b"{}";
        let Options { ping_interval_ms, ping_timeout_ms, upgrade_timeout_ms, max_payload, .. } =
            options;
        let numbers = [slot, ping_interval_ms, ping_timeout_ms, upgrade_timeout_ms, max_payload, 2];
        self.record(1, u32::from(options.is_websocket), &numbers, handshake)
    }

    pub fn send(&mut self, slot: u32, flags: u32, parts: &[Part<'_>]) -> &mut Self {
        let (table, bytes) = pack(parts);
        self.record(2, flags, &[&[slot], &*table].concat(), &bytes)
    }

    pub fn broadcast(
        &mut self,
        namespace: u32,
        target: Target<'_>,
        flags: u32,
        parts: &[Part<'_>],
    ) -> &mut Self {
        let (table, bytes) = pack(parts);
        let Target { rooms, members, except_rooms, except_members, is_filtered } = target;
        let lists = [rooms, members, except_rooms, except_members];
        let counts = lists.map(|list| u32::try_from(list.len()).unwrap());
        let numbers = [&[namespace], &counts[..], &lists.concat(), &table].concat();
        self.record(3, flags | u32::from(is_filtered) << 3, &numbers, &bytes)
    }

    pub fn multicast(&mut self, slots: &[u32], flags: u32, parts: &[Part<'_>]) -> &mut Self {
        let (table, bytes) = pack(parts);
        let count = u32::try_from(slots.len()).unwrap();
        self.record(4, flags, &[&[count], slots, &table].concat(), &bytes)
    }

    pub fn member_add(&mut self, namespace: u32, member: u32, slot: u32) -> &mut Self {
        self.record(5, 0, &[namespace, member, slot], &[])
    }

    pub fn member_remove(&mut self, namespace: u32, member: u32) -> &mut Self {
        self.record(6, 0, &[namespace, member], &[])
    }

    pub fn join(&mut self, namespace: u32, member: u32, room: u32) -> &mut Self {
        self.record(7, 0, &[namespace, member, room], &[])
    }

    pub fn leave(&mut self, namespace: u32, member: u32, room: u32) -> &mut Self {
        self.record(8, 0, &[namespace, member, room], &[])
    }

    pub fn close(&mut self, slot: u32, discard: bool) -> &mut Self {
        self.record(9, u32::from(discard), &[slot], &[])
    }

    pub fn poll(&mut self, slot: u32, request: u32) -> &mut Self {
        self.record(10, 0, &[slot, request], &[])
    }

    pub fn pong(&mut self, slot: u32) -> &mut Self {
        self.record(11, 0, &[slot], &[])
    }

    pub fn turn(&mut self, turn: u32) -> &mut Self {
        self.record(12, 0, &[turn], &[])
    }

    pub fn observe(&mut self, slot: u32) -> &mut Self {
        self.record(13, 0, &[slot, 1], &[])
    }

    pub fn bridge_data(&mut self, conn: u32, bytes: &[u8]) -> &mut Self {
        self.record(14, 0, &[conn, u32::try_from(bytes.len()).unwrap()], bytes)
    }

    pub fn bridge_data_and_wait(&mut self, conn: u32, bytes: &[u8]) -> &mut Self {
        self.record(14, 1, &[conn, u32::try_from(bytes.len()).unwrap()], bytes)
    }

    pub fn bridge_eof(&mut self, conn: u32) -> &mut Self {
        self.record(15, 0, &[conn], &[])
    }

    pub fn bridge_ack(&mut self, conn: u32, bytes: usize) -> &mut Self {
        self.record(16, 0, &[conn, u32::try_from(bytes).unwrap()], &[])
    }

    pub fn conn_destroy(&mut self, conn: u32) -> &mut Self {
        self.record(17, 0, &[conn], &[])
    }

    pub fn finish(&mut self, slot: u32) -> &mut Self {
        self.record(24, 0, &[slot], &[])
    }

    fn record(&mut self, kind: u32, flags: u32, numbers: &[u32], bytes: &[u8]) -> &mut Self {
        let len = (8 + 4 * numbers.len() + bytes.len()).next_multiple_of(4);
        let end = self.0.len() + len;
        for number in [&[kind | flags << 8, u32::try_from(len).unwrap()], numbers].concat() {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
        self.0.extend_from_slice(bytes);
        self.0.resize(end, 0);
        self
    }
}

fn pack(parts: &[Part<'_>]) -> (Vec<u32>, Vec<u8>) {
    let mut table = vec![u32::try_from(parts.len()).unwrap()];
    let mut bytes = Vec::new();
    for part in parts {
        let (part, flag) = match part {
            Part::Text(text) => (text.as_bytes(), 0),
            Part::Binary(bytes) => (*bytes, 1 << 31),
        };
        table.push(u32::try_from(part.len()).unwrap() | flag);
        bytes.extend_from_slice(part);
    }
    (table, bytes)
}
