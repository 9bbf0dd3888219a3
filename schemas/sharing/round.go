package sharing

// rounding rounds the table of a step's cells, each up or down, such that every producer's row and every consumer's column is whole: controlled rounding of a table of two
// dimensions. One exists for any table (Bacharach, Management Science 12 (1966) 732; Cox, JASA 82 (1987) 520): the table itself is a flow from rows to columns between bounds that are
// whole, and then there is a whole flow.
//
// Columns are what their largest remainders made of them whenever the cells allow that; where they do not, another column gets a watt-hour in its place. A first guess lets each row's
// error run on along the columns; what it leaves over finds its place along augmenting paths.
type rounding struct {
	s         *step
	width     int
	up        []bool    // by row and column: whether the cell was rounded up
	left      []int     // by row: ups that it has still to give
	carry     []float64 // by row: error so far
	got       []int     // by column: ups
	want      []int     // by column: ups that the largest remainders ask for
	low, high []int     // by column: ups that the exact value allows

	// of a search
	queue   []int // rows
	seenRow []bool
	seenCol []bool
	from    []int // by row: the row before, or -1
	by      []int // by row: the column by which it was reached
}

func (g *rounding) init(rows, columns int) {
	if rows < 2 {
		return
	}
	*g = rounding{width: columns, up: make([]bool, rows*columns), left: make([]int, rows), carry: make([]float64, rows), got: make([]int, columns), want: make([]int, columns),
		low: make([]int, columns), high: make([]int, columns), queue: make([]int, 0, rows), seenRow: make([]bool, rows), seenCol: make([]bool, columns), from: make([]int, rows), by: make([]int, rows)}
}

// solve rounds the cells of a step whose consumers' columns and surplus are rounded already; those of consumers are changed where they must.
func (g *rounding) solve(s *step, surplus int64) {
	g.s = s
	clear(g.up)
	n := g.width - 1
	for i := range s.consumed {
		sum := g.columnSum(i)
		g.want[i], g.low[i] = int(s.allocated[i]-sum), int(s.whole[i]-sum)
		g.high[i] = g.low[i]
		if s.remainders[i] > 0 {
			g.high[i]++
		}
	}
	g.want[n] = int(surplus - g.columnSum(n))
	g.low[n], g.high[n] = g.want[n], g.want[n]
	for _, p := range s.producers {
		rest := s.produced[p]
		for _, v := range s.cells[p*g.width:][:g.width] {
			rest -= v
		}
		g.left[p], g.carry[p] = int(rest), 0
	}
	g.guess()
	for _, p := range s.producers {
		for g.left[p] > 0 {
			if !g.give(p, g.want) && !g.give(p, g.high) {
				panic("sharing: no controlled rounding") // there is always one
			}
		}
	}
	for i := range g.got {
		for g.got[i] < g.low[i] {
			if !g.fill(i) {
				panic("sharing: no controlled rounding within the columns")
			}
		}
	}
	for _, p := range s.producers {
		row := s.cells[p*g.width:][:g.width]
		for i := range row {
			if g.up[p*g.width+i] {
				row[i]++
			}
		}
	}
	for i := range s.allocated {
		s.allocated[i] += int64(g.got[i] - g.want[i])
	}
}

func (g *rounding) columnSum(i int) (sum int64) {
	for _, p := range g.s.producers {
		sum += g.s.cells[p*g.width+i]
	}
	return sum
}

// open reports whether a row may round a column's cell up and has not.
func (g *rounding) open(p, i int) bool {
	at := p*g.width + i
	return !g.up[at] && g.s.fractions[at] > 0
}

func (g *rounding) set(p, i int, up bool) {
	g.up[p*g.width+i] = up
	if up {
		g.got[i]++
	} else {
		g.got[i]--
	}
}

// guess gives each column its ups from the rows that are furthest behind their exact sums, ties to the first.
func (g *rounding) guess() {
	clear(g.got)
	for i := range g.width {
		for _, p := range g.s.producers {
			g.carry[p] += g.s.fractions[p*g.width+i]
		}
		for range g.want[i] {
			best := -1
			for _, p := range g.s.producers {
				if g.left[p] > 0 && g.open(p, i) && (best < 0 || g.carry[p] > g.carry[best]) {
					best = p
				}
			}
			if best < 0 {
				break
			}
			g.set(best, i, true)
			g.left[best]--
			g.carry[best]--
		}
	}
}

// search looks from a row for one where at says that the path can end, by way of rows that can take over a column's up (or, with take false, hand one over), and returns the row.
func (g *rounding) search(start int, take bool, end func(row int) (column int, ok bool)) (row, column int, ok bool) {
	clear(g.seenRow)
	clear(g.seenCol)
	g.queue = append(g.queue[:0], start)
	g.seenRow[start], g.from[start] = true, -1
	for k := 0; k < len(g.queue); k++ {
		p := g.queue[k]
		if i, ok := end(p); ok {
			return p, i, true
		}
		for i := range g.width {
			if g.seenCol[i] || !g.mine(p, i, take) {
				continue
			}
			g.seenCol[i] = true
			for _, q := range g.s.producers {
				if !g.seenRow[q] && g.mine(q, i, !take) {
					g.seenRow[q], g.from[q], g.by[q] = true, p, i
					g.queue = append(g.queue, q)
				}
			}
		}
	}
	return 0, 0, false
}

// mine reports whether a row can round a cell up, or, with take false, down again.
func (g *rounding) mine(p, i int, take bool) bool {
	if take {
		return g.open(p, i)
	}
	return g.up[p*g.width+i]
}

// walk exchanges the ups along the path to a row: each row on it takes over (or hands over) the column by which the next was reached.
func (g *rounding) walk(to int, take bool) {
	for q := to; g.from[q] >= 0; q = g.from[q] {
		g.set(g.from[q], g.by[q], take)
		g.set(q, g.by[q], !take)
	}
}

// give rounds one more cell of a row up, or of rows that take over in turn, in a column that has fewer ups than most.
func (g *rounding) give(p int, most []int) bool {
	row, column, ok := g.search(p, true, func(row int) (int, bool) {
		for i := range g.width {
			if g.got[i] < most[i] && g.open(row, i) {
				return i, true
			}
		}
		return 0, false
	})
	if !ok {
		return false
	}
	g.walk(row, true)
	g.set(row, column, true)
	g.left[p]--
	return true
}

// fill gives a column one up more, at the cost of one that has more than it must.
func (g *rounding) fill(column int) bool {
	for _, p := range g.s.producers {
		if !g.open(p, column) {
			continue
		}
		row, from, ok := g.search(p, false, func(row int) (int, bool) {
			for i := range g.width {
				if i != column && g.got[i] > g.low[i] && g.up[row*g.width+i] {
					return i, true
				}
			}
			return 0, false
		})
		if ok {
			g.walk(row, false)
			g.set(row, from, false)
			g.set(p, column, true)
			return true
		}
	}
	return false
}
