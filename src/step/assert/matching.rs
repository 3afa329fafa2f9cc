//! A maximum matching of two sides by who may have whom: as many pairs as there can be.

/// Who on the other side may be had: a bit each.
#[derive(Debug, Clone)]
pub struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    /// Everybody.
    pub fn all(count: usize) -> Bits {
        let mut bits = Bits(vec![u64::MAX; count.div_ceil(64)]);
        if let (Some(last), rest @ 1..) = (bits.0.last_mut(), count % 64) {
            *last = (1 << rest) - 1;
        }
        bits
    }

    /// Leaves only those of which something is true.
    pub fn keep<T>(&mut self, of: &[T], is_true: impl Fn(&T) -> bool) {
        for (word, values) in self.0.iter_mut().zip(of.chunks(64)) {
            let mut mask = 0;
            for (at, value) in values.iter().enumerate() {
                mask |= u64::from(is_true(value)) << at;
            }
            *word &= mask;
        }
    }

    /// Adds one.
    #[cfg(test)]
    pub fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn clear(&mut self, at: usize) {
        self.0[at / 64] &= !(1 << (at % 64));
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        let ones = |(at, word): (usize, &u64)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * 64 + bit as usize)
            })
        };
        self.0.iter().enumerate().flat_map(ones)
    }

    /// Adds those that are in both of the others.
    fn add_both(&mut self, one: &Bits, other: &Bits) {
        for (word, (a, b)) in self.0.iter_mut().zip(one.0.iter().zip(&other.0)) {
            *word |= a & b;
        }
    }

    fn remove(&mut self, other: &Bits) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, gone)| *word &= !gone);
    }

    fn first_in_both(&self, other: &Bits) -> Option<usize> {
        let mut both = self.0.iter().zip(&other.0).map(|(a, b)| a & b).enumerate();
        both.find(|(_, bits)| *bits != 0).map(|(at, bits)| at * 64 + bits.trailing_zeros() as usize)
    }
}

/// For each on the left, the one of the `right` it gets.
///
/// The algorithm of Hopcroft and Karp: in rounds, the shortest paths on which one more gets somebody, because
/// others change, are looked for from everybody at once, and as many of them are gone as do not cross.
pub fn maximum(edges: &[Bits], right: usize) -> Vec<Option<usize>> {
    let mut pairs =
        Pairs { edges, has: vec![None; edges.len()], had_by: vec![None; right], free: Bits::all(right) };
    // Most are served at once, those with the least choice first.
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|at| edges[*at].count());
    for at in order {
        if let Some(found) = edges[at].first_in_both(&pairs.free) {
            pairs.give(at, found);
        }
    }
    while let Some(mut layers) = pairs.layers() {
        for start in 0..edges.len() {
            if pairs.has[start].is_none() {
                pairs.improve(start, &mut layers);
            }
        }
    }
    pairs.has
}

/// Who has whom so far.
struct Pairs<'a> {
    edges: &'a [Bits],
    has: Vec<Option<usize>>,
    had_by: Vec<Option<usize>>,
    free: Bits,
}

impl Pairs<'_> {
    fn give(&mut self, left: usize, right: usize) {
        self.free.clear(right);
        (self.has[left], self.had_by[right]) = (Some(right), Some(left));
    }

    /// Those on the right by how many have to change until they are reached, up to the first that nobody
    /// has; nothing where none of those is reached.
    fn layers(&self) -> Option<Vec<Bits>> {
        let mut unseen = Bits::all(self.had_by.len());
        let mut asking: Vec<usize> = (0..self.edges.len()).filter(|left| self.has[*left].is_none()).collect();
        let mut layers = Vec::new();
        loop {
            let mut reached = Bits::new(self.had_by.len());
            for left in &asking {
                reached.add_both(&self.edges[*left], &unseen);
            }
            unseen.remove(&reached);
            if reached.first_in_both(&self.free).is_some() {
                let mut last = Bits::new(self.had_by.len());
                last.add_both(&reached, &self.free);
                layers.push(last);
                return Some(layers);
            }
            asking = reached.iter().filter_map(|right| self.had_by[right]).collect();
            if asking.is_empty() {
                return None;
            }
            layers.push(reached);
        }
    }

    /// Goes one of those paths, if there is one left. Whoever was asked on the way is not asked again.
    fn improve(&mut self, start: usize, layers: &mut [Bits]) {
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut left = start;
        loop {
            match self.edges[left].first_in_both(&layers[path.len()]) {
                Some(right) => {
                    layers[path.len()].clear(right);
                    path.push((left, right));
                    match self.had_by[right] {
                        Some(holder) => left = holder,
                        None => return path.into_iter().for_each(|(left, right)| self.give(left, right)),
                    }
                }
                None => match path.pop() {
                    Some((before, _)) => left = before,
                    None => return,
                },
            }
        }
    }
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
