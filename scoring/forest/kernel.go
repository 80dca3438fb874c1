package forest

// lanes is how many walks of a single row are under way at once.
const lanes = 4

// Rows goes down a tree with all rows together from few rows on, so that enough steps are under way, and takes most
// rows without allocating.
const few, most = 8, 256

// Rows adds what every tree gives for each of the rows to sums, tree after tree. x is laid out by Put; sums holds
// one value per output of the first row, then those of the second, and so on.
func (f *Forest[T]) Rows(x []T, rows int, sums []float64) {
	stride, outputs := f.Stride(), f.shape.Outputs
	if rows < few {
		for r := range rows {
			f.row(x[r*stride:(r+1)*stride], sums[r*outputs:(r+1)*outputs])
		}
		return
	}
	var room [most]uint32
	at := room[:]
	if rows > most {
		at = make([]uint32, rows)
	}
	at, x, sums = at[:rows], x[:rows*stride], sums[:rows*outputs]
	for k := range f.trees {
		t := &f.trees[k]
		f.fetch(t, rows)
		f.descend(t, x, at)
		f.gather(t, at, sums)
	}
}

// descend takes all rows down one tree, level by level: at[r] becomes the leaf of row r. No step of a row waits for
// one of another, so that as many are under way as the processor can hold.
func (f *Forest[T]) descend(t *tree, x []T, at []uint32) {
	root := &f.nodes[t.root]
	rows := uint(len(at))
	first := x[uint(root.feature)*rows:][:rows]
	for r := range at {
		at[r] = root.left + above(first[r], root.threshold)
	}
	nodes := f.nodes
	for level := t.depth; level > 1; level-- {
		for r, i := range at {
			n := &nodes[i]
			at[r] = n.left + above(x[uint(n.feature)*rows+uint(r)], n.threshold)
		}
	}
}

// gather adds the values of the leaves.
func (f *Forest[T]) gather(t *tree, at []uint32, sums []float64) {
	values := f.values
	switch w := f.shape.Width; {
	case w == 1 && f.shape.Outputs == 1 && !f.shape.Single:
		sums = sums[:len(at)]
		for r, i := range at {
			sums[r] += values[i]
		}
	case w == 1:
		to := int(t.output)
		for _, i := range at {
			sums[to] = plus(sums[to], values[i], f.shape.Single)
			to += f.shape.Outputs
		}
	case w == 2:
		for _, i := range at {
			v, s := (*[2]float64)(values[2*i:]), (*[2]float64)(sums)
			s[0] += v[0]
			s[1] += v[1]
			sums = sums[2:]
		}
	default:
		for _, i := range at {
			f.add(sums, i)
			sums = sums[w:]
		}
	}
}

// plus adds, and rounds to float32 if single is set. That is exact: float64 has more than twice the digits.
func plus(sum, v float64, single bool) float64 {
	sum += v
	if single {
		sum = float64(float32(sum))
	}
	return sum
}

// row is Rows for a single row.
func (f *Forest[T]) row(x []T, sums []float64) {
	trees := f.trees
	for ; len(trees) >= lanes; trees = trees[lanes:] {
		t := (*[lanes]tree)(trees)
		depth := max(t[0].depth, t[1].depth, t[2].depth, t[3].depth)
		i0, i1, i2, i3 := walkTrees(f.nodes, x, t[0].root, t[1].root, t[2].root, t[3].root, int(depth))
		if f.shape.Width > 1 {
			f.add(sums, i0)
			f.add(sums, i1)
			f.add(sums, i2)
			f.add(sums, i3)
			continue
		}
		single, values := f.shape.Single, f.values
		sums[t[0].output] = plus(sums[t[0].output], values[i0], single)
		sums[t[1].output] = plus(sums[t[1].output], values[i1], single)
		sums[t[2].output] = plus(sums[t[2].output], values[i2], single)
		sums[t[3].output] = plus(sums[t[3].output], values[i3], single)
	}
	for k := range trees {
		t := &trees[k]
		i, _, _, _ := walkTrees(f.nodes, x, t.root, t.root, t.root, t.root, int(t.depth))
		if f.shape.Width > 1 {
			f.add(sums, i)
			continue
		}
		sums[t.output] = plus(sums[t.output], f.values[i], f.shape.Single)
	}
}

// fetch reads through a tree that is larger than the first-level cache, before many rows walk it. The processor sees
// reads in order coming and has them at hand in time; the walks alone would wait for most lines of such a tree, once
// in every batch.
func (f *Forest[T]) fetch(t *tree, rows int) {
	const (
		line  = 64      // bytes of a cache line
		first = 1 << 14 // bytes of a tree that stays in the first-level cache, beside the rows
		each  = 16      // bytes of a node, at most
	)
	if bytes := int(t.size) * (each + 8*f.shape.Width); bytes < first || bytes/line > rows*int(t.depth) {
		return
	}
	readThrough(f.nodes[t.root:t.root+t.size], f.values[int(t.root)*f.shape.Width:int(t.root+t.size)*f.shape.Width])
}

// readThrough reads one value of every cache line. It is not inlined, or the compiler would see that nobody wants
// the sums.
//
//go:noinline
func readThrough[T Lane](nodes []node[T], values []float64) (left uint32, sum float64) {
	for i := 0; i < len(nodes); i += 4 {
		left += nodes[i].left
	}
	for i := 0; i < len(values); i += 8 {
		sum += values[i]
	}
	return left, sum
}

// walkTrees takes one row down four trees. It is a function of its own, not inlined, so that the four places stay
// in registers.
//
//go:noinline
func walkTrees[T Lane](nodes []node[T], x []T, i0, i1, i2, i3 uint32, depth int) (_, _, _, _ uint32) {
	for ; depth > 0; depth-- {
		n0, n1, n2, n3 := &nodes[i0], &nodes[i1], &nodes[i2], &nodes[i3]
		i0 = n0.left + above(x[n0.feature], n0.threshold)
		i1 = n1.left + above(x[n1.feature], n1.threshold)
		i2 = n2.left + above(x[n2.feature], n2.threshold)
		i3 = n3.left + above(x[n3.feature], n3.threshold)
	}
	return i0, i1, i2, i3
}

// above is 1 where x > threshold, without a branch.
func above[T Lane](x, threshold T) uint32 {
	var right uint32
	if x > threshold {
		right = 1
	}
	return right
}

// add adds the values of leaf i, one per output.
func (f *Forest[T]) add(sums []float64, i uint32) {
	w := f.shape.Width
	for k, v := range f.values[int(i)*w:][:w] {
		sums[k] += v
	}
}
