package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// statement is prepared below the database/sql layer, which costs more than what is written often. It is of the writing connection, and its owner has the right to write.
type statement struct {
	conn *sql.Conn
	st   driver.Stmt
	args []driver.NamedValue
}

// prepare makes a statement with a number of arguments.
func (s *Store) prepare(ctx context.Context, text string, args int) (*statement, error) {
	st := &statement{conn: s.conn, args: make([]driver.NamedValue, args)}
	err := s.conn.Raw(func(c any) (err error) {
		st.st, err = c.(driver.ConnPrepareContext).PrepareContext(ctx, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	s.prepared = append(s.prepared, st)
	return st, nil
}

// exec runs it with all its arguments in place, or with the first ones where others stay what they are.
func (st *statement) exec(args ...driver.Value) (out driver.Result, err error) {
	for i, a := range args {
		st.args[i].Value = a
	}
	err = st.conn.Raw(func(any) error {
		out, err = st.st.(driver.StmtExecContext).ExecContext(context.Background(), st.args) // never interrupted half-way, see transaction
		return err
	})
	return out, err
}

// insert runs it and returns the id of the row that it wrote.
func (st *statement) insert(args ...driver.Value) (id int64, err error) {
	out, err := st.exec(args...)
	if err != nil {
		return 0, err
	}
	return out.LastInsertId()
}

// number runs it and returns the one whole number that it answers with.
func (st *statement) number(args ...driver.Value) (n int64, err error) {
	for i, a := range args {
		st.args[i].Value = a
	}
	err = st.conn.Raw(func(any) (err error) {
		rows, err := st.st.(driver.StmtQueryContext).QueryContext(context.Background(), st.args)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		var row [1]driver.Value
		if err := rows.Next(row[:]); err != nil {
			return err
		}
		var ok bool
		if n, ok = row[0].(int64); !ok {
			return fmt.Errorf("%v is no whole number", row[0])
		}
		return nil
	})
	return n, err
}

func (st *statement) close() error { return st.conn.Raw(func(any) error { return st.st.Close() }) }
