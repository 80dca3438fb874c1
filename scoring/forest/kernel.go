package forest

// lanes is how many walks are under way at once.
const lanes = 4

// Rows adds what every tree gives for each of the rows to sums, tree after tree. x is laid out by Put; sums holds
// one value per output of the first row, then those of the second, and so on.
func (f *Forest[T]) Rows(x []T, rows int, sums []float64) {
	stride, outputs := f.Stride(), f.shape.Outputs
	whole := rows &^ (lanes - 1)
	for k := range f.trees {
		t := &f.trees[k]
		for r := 0; r < whole; r += lanes {
			i0, i1, i2, i3 := walkRows(f.nodes, x[r*stride:(r+lanes)*stride], t.root, int(t.depth))
			to := sums[r*outputs : (r+lanes)*outputs]
			f.add(to, t, i0)
			f.add(to[outputs:], t, i1)
			f.add(to[2*outputs:], t, i2)
			f.add(to[3*outputs:], t, i3)
		}
	}
	for r := whole; r < rows; r++ {
		f.row(x[r*stride:(r+1)*stride], sums[r*outputs:(r+1)*outputs])
	}
}

// row is Rows for a single row.
func (f *Forest[T]) row(x []T, sums []float64) {
	trees := f.trees
	for ; len(trees) >= lanes; trees = trees[lanes:] {
		t := (*[lanes]tree)(trees)
		depth := max(t[0].depth, t[1].depth, t[2].depth, t[3].depth)
		i0, i1, i2, i3 := walkTrees(f.nodes, x, t[0].root, t[1].root, t[2].root, t[3].root, int(depth))
		f.add(sums, &t[0], i0)
		f.add(sums, &t[1], i1)
		f.add(sums, &t[2], i2)
		f.add(sums, &t[3], i3)
	}
	for k := range trees {
		t := &trees[k]
		i, _, _, _ := walkTrees(f.nodes, x, t.root, t.root, t.root, t.root, int(t.depth))
		f.add(sums, t, i)
	}
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

// add adds the values of leaf i.
func (f *Forest[T]) add(sums []float64, t *tree, i uint32) {
	switch w := uint32(f.shape.Width); w {
	case 1:
		sum := sums[t.output] + f.values[i]
		if f.shape.Single {
			sum = float64(float32(sum)) // exact: float64 has more than twice the digits
		}
		sums[t.output] = sum
	case 2:
		v := (*[2]float64)(f.values[2*i:])
		to := (*[2]float64)(sums)
		to[0] += v[0]
		to[1] += v[1]
	default:
		for k, v := range f.values[i*w:][:w] {
			sums[k] += v
		}
	}
}
