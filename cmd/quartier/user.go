package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/schemas/store"
)

func userCommand() *command {
	return &command{name: "user", does: "Manage the accounts of the console.",
		usage: `user list -c district.yaml
user add -c district.yaml --name NAME --role ROLE [--district ID --member ID] < password
user password -c district.yaml --name NAME < password
user disable -c district.yaml --name NAME

Roles: resident (sees only his own page), viewer, operator, administrator. A password is read
from the first line of standard input, never from the command line.`,
		run: runUser}
}

func runUser(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	name := c.flags.String("name", "", "`name` of the account")
	role := c.flags.String("role", "viewer", "`role` of a new account")
	districtID := c.flags.String("district", "", "`id` of a resident's district")
	member := c.flags.String("member", "", "`id` of a resident's member")
	language := c.flags.String("language", "fr", "`language`, fr or en")
	if err := c.parse(1); err != nil {
		return err
	}
	if len(c.args) == 0 {
		return badInput{errors.New("quartier user: say what to do: list, add, password or disable")}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	st, err := app.OpenStore(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	err = userDo(ctx, c, cfg, st, store.User{Name: *name, Role: store.Role(*role), District: *districtID, Member: *member, Language: *language})
	if st.Drain != nil && err == nil {
		err = st.Drain(ctx)
	}
	return errors.Join(err, st.Close())
}

func userDo(ctx context.Context, c *call, cfg *config.Config, st store.Store, u store.User) error {
	action := c.args[0]
	if action == "list" {
		return listUsers(ctx, c.stdout, st)
	}
	if err := c.need("name"); err != nil {
		return err
	}
	now := time.Now()
	switch action {
	case "add":
		if err := checkRole(cfg, u); err != nil {
			return err
		}
		hash, err := readPassword(c, u.Name)
		if err != nil {
			return err
		}
		u.PasswordHash, u.CreatedAt = hash, now
		if err := st.CreateUser(ctx, u); errors.Is(err, store.ErrExists) {
			return badInput{fmt.Errorf("quartier user: the name %q is taken", u.Name)}
		} else if err != nil {
			return err
		}
	case "password", "disable":
		have, err := st.User(ctx, u.Name)
		if errors.Is(err, store.ErrNotFound) {
			return badInput{fmt.Errorf("quartier user: no account is named %q", u.Name)}
		} else if err != nil {
			return err
		}
		if action == "disable" {
			have.Disabled = true
		} else if have.PasswordHash, err = readPassword(c, u.Name); err != nil {
			return err
		}
		if err := st.UpdateUser(ctx, have); err != nil {
			return err
		}
		if err := st.DeleteSessions(ctx, u.Name); err != nil {
			return err
		}
	default:
		return badInput{fmt.Errorf("quartier user: unknown action %q: list, add, password or disable", action)}
	}
	fmt.Fprintf(c.stdout, "%s: done\n", u.Name)
	return st.AppendEvent(ctx, store.Event{Time: now, Kind: store.AuditEvent, Actor: "command line", Action: "user-" + action, Object: u.Name, Severity: "info"})
}

func checkRole(cfg *config.Config, u store.User) error {
	switch u.Role {
	case store.Viewer, store.Operator, store.Administrator:
		return nil
	case store.Resident:
		for i := range cfg.Districts {
			if cfg.Districts[i].ID == u.District && cfg.Districts[i].Member(u.Member) != nil {
				return nil
			}
		}
		return badInput{fmt.Errorf("quartier user: a resident needs --district and --member of the configuration; %q has no member %q", u.District, u.Member)}
	}
	return badInput{fmt.Errorf("quartier user: unknown role %q: resident, viewer, operator or administrator", u.Role)}
}

// readPassword reads the first line of standard input and returns its hash.
func readPassword(c *call, name string) (string, error) {
	fmt.Fprint(c.stderr, "password: ")
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	if err != nil && line == "" {
		return "", badInput{fmt.Errorf("quartier user: a password is needed on standard input: %w", err)}
	}
	password := strings.TrimRight(line, "\r\n")
	if err := console.CheckNewPassword(name, password); err != nil {
		return "", badInput{fmt.Errorf("quartier user: %w", err)}
	}
	return console.HashPassword(password)
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
