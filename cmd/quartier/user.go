package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/schemas/store"
)

func userCommand() *command {
	return &command{name: "user", does: "Manage the accounts of the console.",
		usage: `user list -c district.yaml
quartier user add -c district.yaml --name NAME --role ROLE [--district ID --member ID]
quartier user password -c district.yaml --name NAME
quartier user disable|enable -c district.yaml --name NAME

Roles: resident (sees only his own page), viewer, operator, administrator. A password is asked
for, or read from the first line of standard input; it is never an argument. A new password or a
disabled account ends the sessions of that account.`,
		run: runUser}
}

// userActions are what can be done: the word that tells it is done, and its name in the audit log, which is the console's for the same.
var userActions = map[string]struct{ done, audit string }{"list": {}, "add": {"added", "user-created"}, "password": {"password changed", "password-set"},
	"disable": {"disabled", "user-changed"}, "enable": {"enabled", "user-changed"}}

// userName is what the console takes for a name.
var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func runUser(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	name := c.flags.String("name", "", "`name` of the account")
	role := c.flags.String("role", "viewer", "`role` of a new account")
	districtID := c.flags.String("district", "", "`id` of a resident's district")
	member := c.flags.String("member", "", "`id` of a resident's member")
	language := c.flags.String("language", "fr", "`language` of a new account, fr or en")
	if err := c.parse(1); err != nil {
		return err
	}
	if len(c.args) == 0 {
		return badInput{errors.New("quartier user: say what to do: list, add, password, disable or enable\nRun 'quartier user -h' for its options")}
	}
	if _, ok := userActions[c.args[0]]; !ok {
		return badInput{fmt.Errorf("quartier user: unknown action %q: list, add, password, disable or enable", c.args[0])}
	}
	if c.args[0] != "list" {
		if err := c.need("name"); err != nil {
			return err
		}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	u := store.User{Name: *name, Role: store.Role(*role), District: *districtID, Member: *member, Language: *language}
	if c.args[0] == "add" {
		if err := checkUser(cfg, u); err != nil {
			return badInput{err}
		}
	}
	st, err := openRecord(ctx, c, cfg, false)
	if err != nil {
		return err
	}
	err = userDo(ctx, c, st, u)
	if err == nil && st.Drain != nil {
		_ = st.Drain(ctx) // the change is durable in the file, and a database that is away was told of above
	}
	return errors.Join(err, st.Close())
}

func userDo(ctx context.Context, c *call, st store.Store, u store.User) error {
	action := c.args[0]
	if action == "list" {
		return listUsers(ctx, c.stdout, st)
	}
	have, err := st.User(ctx, u.Name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case action == "add" && err == nil:
		return badInput{fmt.Errorf("quartier user: the name %q is taken", u.Name)}
	case action != "add" && err != nil:
		return badInput{fmt.Errorf("quartier user: no account is named %q", u.Name)}
	case action == "add":
		have = u
	}
	if action == "add" || action == "password" {
		if have.PasswordHash, err = newPassword(ctx, c, u.Name); err != nil {
			return err
		}
	}
	now := time.Now()
	if action == "add" {
		have.CreatedAt = now
		err = st.CreateUser(ctx, have)
	} else {
		have.Disabled = action == "disable" || action == "password" && have.Disabled
		err = st.UpdateUser(ctx, have)
	}
	if err != nil {
		return err
	}
	if action == "password" || action == "disable" {
		if err := st.DeleteSessions(ctx, u.Name); err != nil {
			return err
		}
	}
	detail := "role " + string(have.Role)
	if have.Role == store.Resident {
		detail += " of " + have.District + "/" + have.Member
	}
	if have.Disabled {
		detail += ", disabled"
	}
	event := store.Event{Time: now, Kind: store.AuditEvent, Actor: "command line", Action: userActions[action].audit, Object: u.Name, Detail: detail, Severity: "info"}
	if err := st.AppendEvent(ctx, event); err != nil {
		return fmt.Errorf("%s: %s, but the audit log could not be written: %w", u.Name, userActions[action].done, err)
	}
	fmt.Fprintf(c.stdout, "%s: %s\n", u.Name, userActions[action].done)
	if action == "password" && have.Disabled {
		fmt.Fprintf(c.stderr, "note: the account stays disabled; 'quartier user enable' lets it in again\n")
	}
	return nil
}

// checkUser returns every fault of a new account.
func checkUser(cfg *config.Config, u store.User) error {
	var faults []error
	if !userName.MatchString(u.Name) {
		faults = append(faults, fmt.Errorf("quartier user: --name %q: want 1 to 64 letters, digits and . _ @ -, the first a letter or digit", u.Name))
	}
	if u.Language != "fr" && u.Language != "en" {
		faults = append(faults, fmt.Errorf("quartier user: --language %q is neither fr nor en", u.Language))
	}
	switch u.Role {
	case store.Viewer, store.Operator, store.Administrator:
		if u.District != "" || u.Member != "" {
			faults = append(faults, fmt.Errorf("quartier user: --district and --member belong to a resident, not to the role %s", u.Role))
		}
	case store.Resident:
		known := false
		for i := range cfg.Districts {
			known = known || cfg.Districts[i].ID == u.District && cfg.Districts[i].Member(u.Member) != nil
		}
		if !known {
			faults = append(faults, fmt.Errorf("quartier user: a resident needs --district and --member of the configuration: there is no member %q in a district %q", u.Member, u.District))
		}
	default:
		faults = append(faults, fmt.Errorf("quartier user: unknown role %q: resident, viewer, operator or administrator", u.Role))
	}
	return errors.Join(faults...)
}

// newPassword asks for a password and returns its hash: twice and unseen on a terminal, else from the first line of standard input.
func newPassword(ctx context.Context, c *call, name string) (string, error) {
	var password string
	if f, ok := c.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		first, err := askUnseen(ctx, c.stderr, f, "New password for "+name+": ")
		if err != nil {
			return "", err
		}
		second, err := askUnseen(ctx, c.stderr, f, "Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", badInput{errors.New("quartier user: the two passwords differ; nothing was changed")}
		}
		password = first
	} else {
		in := withContext(ctx, io.LimitReader(c.stdin, 4096))
		defer in.Close()
		line, err := bufio.NewReader(in).ReadString('\n')
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err != nil && line == "" {
			return "", badInput{errors.New("quartier user: a password is needed on the first line of standard input")}
		}
		password = strings.TrimRight(line, "\r\n")
	}
	if err := console.CheckNewPassword(name, password); err != nil {
		return "", badInput{fmt.Errorf("quartier user: %w", err)}
	}
	return console.HashPassword(password)
}

// askUnseen asks on a terminal without showing what is typed, and leaves the terminal as it was, also when ctx ends.
func askUnseen(ctx context.Context, out io.Writer, f *os.File, question string) (string, error) {
	fd := int(f.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	fmt.Fprint(out, question)
	go func() {
		text, err := term.ReadPassword(fd)
		got <- answer{text, err}
	}()
	defer fmt.Fprintln(out)
	select {
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, was))
	case a := <-got:
		if a.err != nil {
			return "", fmt.Errorf("ask for the password: %w", a.err)
		}
		return string(a.text), nil
	}
}

func listUsers(ctx context.Context, out io.Writer, st store.Store) error {
	users, err := st.Users(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "Name\tRole\tMember\tState")
	for _, u := range users {
		state := "active"
		if u.Disabled {
			state = "disabled"
		}
		member := ""
		if u.Member != "" {
			member = u.District + "/" + u.Member
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", u.Name, u.Role, member, state)
	}
	return w.Flush()
}
