//! A maximum matching of two sides by who may have whom: as many pairs as there can be.

/// Who on the other side may be had: a bit each.
#[derive(Debug, Clone)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Nobody.
    pub fn new(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    /// Adds one.
    pub fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn clear(&mut self, at: usize) {
        self.0[at / 64] &= !(1 << (at % 64));
    }

    /// The first that is in all of them.
    fn first_in_both(&self, other: &Bits) -> Option<usize> {
        let both = self.0.iter().zip(&other.0).enumerate();
        both.map(|(at, (a, b))| (at, a & b)).find(|(_, bits)| *bits != 0).map(first)
    }
}

fn first((at, bits): (usize, u64)) -> usize {
    at * 64 + bits.trailing_zeros() as usize
}

/// For each on the left, the one of the `right` it gets.
///
/// Paths that let one more have somebody are looked for from everybody who has nobody, breadth first, until
/// a round finds none. In one round nobody on the right is looked at twice.
pub fn maximum(edges: &[Bits], right: usize) -> Vec<Option<usize>> {
    let mut has: Vec<Option<usize>> = vec![None; edges.len()];
    let mut had_by: Vec<Option<usize>> = vec![None; right];
    let mut free = Bits::new(right);
    (0..right).for_each(|at| free.set(at));
    // Most are served at once.
    for (at, wanted) in edges.iter().enumerate() {
        if let Some(found) = wanted.first_in_both(&free) {
            free.clear(found);
            (has[at], had_by[found]) = (Some(found), Some(at));
        }
    }
    loop {
        let mut unseen = Bits::new(right);
        (0..right).for_each(|at| unseen.set(at));
        let mut is_better = false;
        for start in 0..edges.len() {
            if has[start].is_none() {
                is_better |= improve(start, edges, &mut has, &mut had_by, &mut unseen);
            }
        }
        if !is_better {
            return has;
        }
    }
}

/// Looks for somebody for one who has nobody, and lets others change for it.
fn improve(
    start: usize,
    edges: &[Bits],
    has: &mut [Option<usize>],
    had_by: &mut [Option<usize>],
    unseen: &mut Bits,
) -> bool {
    // Who came to whom: a left one and the right one it asked for.
    let mut asked: Vec<(usize, usize, Option<usize>)> = Vec::new();
    let mut waiting: Vec<(usize, Option<usize>)> = vec![(start, None)];
    let mut next = 0;
    while let Some(&(left, by)) = waiting.get(next) {
        next += 1;
        while let Some(found) = edges[left].first_in_both(unseen) {
            unseen.clear(found);
            asked.push((left, found, by));
            let Some(holder) = had_by[found] else {
                let mut step = Some(asked.len() - 1);
                while let Some(at) = step {
                    let (left, right, by) = asked[at];
                    (has[left], had_by[right]) = (Some(right), Some(left));
                    step = by;
                }
                return true;
            };
            waiting.push((holder, Some(asked.len() - 1)));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of a maximum matching, found by trying everything.
    fn exhaustive(edges: &[Vec<usize>], taken: &mut Vec<usize>) -> usize {
        let Some((first, rest)) = edges.split_first() else { return 0 };
        let mut best = exhaustive(rest, taken);
        for &right in first {
            if !taken.contains(&right) {
                taken.push(right);
                best = best.max(1 + exhaustive(rest, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn no_other_matching_is_larger() {
        let mut random = 7u64;
        let mut draw = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..500 {
            let (left, right) = (draw(7) as usize, draw(7) as usize);
            let some = |draw: &mut dyn FnMut(u64) -> u64| (0..right).filter(|_| draw(3) == 0).collect();
            let lists: Vec<Vec<usize>> = (0..left).map(|_| some(&mut draw)).collect();
            let bits = |list: &Vec<usize>| {
                let mut bits = Bits::new(right);
                list.iter().for_each(|at| bits.set(*at));
                bits
            };
            let found = maximum(&lists.iter().map(bits).collect::<Vec<_>>(), right);
            let mut taken: Vec<usize> = found.iter().flatten().copied().collect();
            for (list, pair) in lists.iter().zip(&found) {
                assert!(pair.is_none_or(|right| list.contains(&right)), "{lists:?}");
            }
            let size = taken.len();
            taken.sort_unstable();
            taken.dedup();
            assert_eq!((size, size), (taken.len(), exhaustive(&lists, &mut Vec::new())), "{lists:?}");
        }
    }
}
