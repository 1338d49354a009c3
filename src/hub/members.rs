//! The members of one namespace: a dense table from a member's number to the slot of its session.
//!
//! It also carries the marks that keep a broadcast from reaching a member twice. A mark is the number of a visit, so
//! beginning another visit forgets all marks at once.

/// How many members one namespace may number: more sockets than one process can have descriptors for.
///
/// The table is as long as the highest number, so a number out of all reason has to be refused.
pub const MAX_MEMBERS: u32 = 1 << 24;

/// The members of one namespace and their marks.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Indexed by member. JavaScript numbers members densely and reuses numbers, so there are few gaps.
    entries: Vec<Entry>,
    /// How many entries are not vacant.
    count: usize,
    /// The number of the current visit, never [`UNMARKED`] while one is on.
    visit: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u32,
    /// The last visit that marked this member.
    mark: u32,
}

impl Members {
    /// Puts a member into the table; false if its number or its slot is out of range.
    pub(super) fn insert(&mut self, member: u32, slot: u32) -> bool {
        if member >= MAX_MEMBERS || slot == VACANT.slot {
            return false;
        }
        let index = member as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, VACANT);
        }
        if let Some(entry) = self.entries.get_mut(index) {
            if entry.is_vacant() {
                self.count += 1;
            }
            *entry = Entry { slot, mark: UNMARKED };
        }
        true
    }

    /// Takes a member out; false if there was none of this number.
    pub(super) fn remove(&mut self, member: u32) -> bool {
        match self.entries.get_mut(member as usize) {
            Some(entry) if !entry.is_vacant() => *entry = VACANT,
            _ => return false,
        }
        self.count -= 1;
        while self.entries.last().is_some_and(|entry| entry.is_vacant()) {
            self.entries.pop();
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        true
    }

    pub(super) fn contains(&self, member: u32) -> bool {
        self.entries.get(member as usize).is_some_and(|entry| !entry.is_vacant())
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Begins a visit: no member is marked.
    pub(super) fn begin_visit(&mut self) {
        self.visit = self.visit.wrapping_add(1);
        if self.visit == UNMARKED {
            // Marks of four thousand million visits ago would count again.
            for entry in &mut self.entries {
                entry.mark = UNMARKED;
            }
            self.visit = UNMARKED + 1;
        }
    }

    /// Marks a member, and gives its slot if it was not marked before in this visit. A vacant number gives nothing.
    pub(super) fn mark(&mut self, member: u32) -> Option<u32> {
        let entry = self.entries.get_mut(member as usize)?;
        if entry.is_vacant() || entry.mark == self.visit {
            return None;
        }
        entry.mark = self.visit;
        Some(entry.slot)
    }

    /// The slots of all members that are not marked.
    pub(super) fn unmarked(&self) -> impl Iterator<Item = u32> {
        self.entries
            .iter()
            .filter(|entry| !entry.is_vacant() && entry.mark != self.visit)
            .map(|entry| entry.slot)
    }
}

impl Entry {
    const fn is_vacant(self) -> bool {
        self.slot == VACANT.slot
    }
}

/// The mark of a member that no visit has met.
const UNMARKED: u32 = 0;

const VACANT: Entry = Entry { slot: u32::MAX, mark: UNMARKED };

#[cfg(test)]
mod tests {
    use super::{MAX_MEMBERS, Members};

    #[test]
    fn marks_of_old_visits_do_not_count_when_the_visits_are_numbered_anew() {
        let mut members = Members::default();
        members.insert(0, 70);
        members.begin_visit();
        assert_eq!(members.mark(0), Some(70));
        members.visit = u32::MAX;
        members.begin_visit();
        assert_eq!(members.mark(0), Some(70));
        assert_eq!(members.mark(0), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let mut members = Members::default();
        assert!(!members.insert(MAX_MEMBERS, 0));
        assert!(!members.insert(0, u32::MAX));
        assert!(!members.remove(0));
        assert!(!members.remove(u32::MAX));
        assert!(!members.contains(u32::MAX));
        assert_eq!(members.mark(u32::MAX), None);
        assert_eq!(members.len(), 0);
    }

    #[test]
    fn the_table_gives_memory_back_when_its_highest_members_go() {
        let mut members = Members::default();
        for member in 0..1_000 {
            members.insert(member, member);
        }
        for member in (1..1_000).rev() {
            assert!(members.remove(member));
        }
        assert!(members.contains(0));
        assert_eq!(members.len(), 1);
        assert!(members.entries.capacity() < 16, "{}", members.entries.capacity());
    }
}
