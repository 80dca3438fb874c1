package forest

// lanes is how many walks are under way at once.
const lanes = 4

// Rows adds what every tree gives for each of the rows to sums, tree after tree. x is laid out by Put; sums holds
// one value per output of the first row, then those of the second, and so on.
func (f *Forest[T]) Rows(x []T, rows int, sums []float64) {
	stride, outputs := f.Stride(), f.shape.Outputs
	whole := rows &^ (lanes - 1)
	for k := range f.trees {
		if whole == 0 {
			break
		}
		t := &f.trees[k]
		f.fetch(t, whole)
		switch f.shape.Width {
		case 1:
			f.rows1(t, x[:whole*stride], sums[:whole*outputs])
		case 2:
			f.rows2(t, x[:whole*stride], sums[:whole*outputs])
		default:
			f.rowsN(t, x[:whole*stride], sums[:whole*outputs])
		}
	}
	for r := whole; r < rows; r++ {
		f.row(x[r*stride:(r+1)*stride], sums[r*outputs:(r+1)*outputs])
	}
}

// rows1 takes rows, four at a time, down a tree that adds one value to one output. It and rows2 are rowsN for the
// widths that matter: a call per row to add the values would cost as much as two levels of the tree.
func (f *Forest[T]) rows1(t *tree, x []T, sums []float64) {
	group, outputs, values, nodes, single := lanes*f.Stride(), f.shape.Outputs, f.values, f.nodes, f.shape.Single
	for to := int(t.output); len(x) >= group; x = x[group:] {
		i0, i1, i2, i3 := walkRows(nodes, x[:group], t.root, int(t.depth))
		s := sums[to : to+3*outputs+1]
		s[0] = plus(s[0], values[i0], single)
		s[outputs] = plus(s[outputs], values[i1], single)
		s[2*outputs] = plus(s[2*outputs], values[i2], single)
		s[3*outputs] = plus(s[3*outputs], values[i3], single)
		to += lanes * outputs
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

// rows2 takes rows down a tree that adds to two outputs, the shares of two classes.
func (f *Forest[T]) rows2(t *tree, x []T, sums []float64) {
	group, values, nodes := lanes*f.Stride(), f.values, f.nodes
	for ; len(x) >= group; x, sums = x[group:], sums[2*lanes:] {
		i0, i1, i2, i3 := walkRows(nodes, x[:group], t.root, int(t.depth))
		v0, v1 := (*[2]float64)(values[2*i0:]), (*[2]float64)(values[2*i1:])
		v2, v3 := (*[2]float64)(values[2*i2:]), (*[2]float64)(values[2*i3:])
		s := (*[2 * lanes]float64)(sums)
		s[0] += v0[0]
		s[1] += v0[1]
		s[2] += v1[0]
		s[3] += v1[1]
		s[4] += v2[0]
		s[5] += v2[1]
		s[6] += v3[0]
		s[7] += v3[1]
	}
}

// rowsN takes rows down a tree that adds a value to every output.
func (f *Forest[T]) rowsN(t *tree, x []T, sums []float64) {
	group, outputs := lanes*f.Stride(), f.shape.Outputs
	for ; len(x) >= group; x, sums = x[group:], sums[lanes*outputs:] {
		i0, i1, i2, i3 := walkRows(f.nodes, x[:group], t.root, int(t.depth))
		f.add(sums, i0)
		f.add(sums[outputs:], i1)
		f.add(sums[2*outputs:], i2)
		f.add(sums[3*outputs:], i3)
	}
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

// walkRows takes four rows, whose values alternate in x, down one tree.
//
//go:noinline
func walkRows[T Lane](nodes []node[T], x []T, root uint32, depth int) (_, _, _, _ uint32) {
	i0, i1, i2, i3 := root, root, root, root
	for ; depth > 0; depth-- {
		n0, n1, n2, n3 := &nodes[i0], &nodes[i1], &nodes[i2], &nodes[i3]
		i0 = n0.left + above(x[lanes*n0.feature], n0.threshold)
		i1 = n1.left + above(x[lanes*n1.feature+1], n1.threshold)
		i2 = n2.left + above(x[lanes*n2.feature+2], n2.threshold)
		i3 = n3.left + above(x[lanes*n3.feature+3], n3.threshold)
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
