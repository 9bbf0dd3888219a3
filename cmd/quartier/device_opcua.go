package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/drivers/opcua"
	"quartier/drivers/opcua/pki"
)

// opcuaFlags say how an OPC UA server is entered.
type opcuaFlags struct {
	pki, policy, mode, user, passwordFile, userCert, userKey *string
}

func newOPCUAFlags(c *call) opcuaFlags {
	return opcuaFlags{
		pki:          c.flags.String("pki", "var/pki", "`folder` of our OPC UA certificate and of the trust list"),
		policy:       c.flags.String("policy", "", "OPC UA security `policy`: None, Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss; the strongest when not given, and None on loopback"),
		mode:         c.flags.String("mode", "", "OPC UA security `mode`: Sign or SignAndEncrypt, which it is when not given"),
		user:         c.flags.String("user", "", "`name` to enter an OPC UA server by"),
		passwordFile: c.flags.String("password-file", "", "`file` that holds the password and nothing else"),
		userCert:     c.flags.String("user-cert", "", "`file` of the certificate to enter an OPC UA server by"),
		userKey:      c.flags.String("user-key", "", "`file` of its private key"),
	}
}

// access is how the server at an address is entered. Our certificate is made when it is needed for the first time.
func (f opcuaFlags) access(address string) (opcua.Access, opcua.Config, error) {
	a := opcua.Access{Policy: *f.policy, Mode: *f.mode, User: *f.user}
	var config opcua.Config
	var err error
	if *f.passwordFile != "" {
		text, err := os.ReadFile(*f.passwordFile)
		if err != nil {
			return a, config, fmt.Errorf("--password-file: %w", err)
		}
		a.Password = strings.TrimRight(string(text), "\r\n")
	}
	if (*f.userCert == "") != (*f.userKey == "") {
		return a, config, errors.New("--user-cert and --user-key are needed together")
	}
	if *f.userCert != "" {
		if a.UserIdentity, err = pki.LoadIdentity(*f.userCert, *f.userKey); err != nil {
			return a, config, err
		}
	}
	if opcua.CheckAddress(address) == nil && (!a.Open(address) || a.User != "" || a.UserIdentity != nil) {
		if config.Identity, err = pki.OpenIdentity(*f.pki, pki.Application{}, time.Now()); err != nil {
			return a, config, err
		}
		if config.Trust, err = pki.Open(*f.pki); err != nil {
			return a, config, err
		}
	}
	return a, config, nil
}

// scan shows how a server may be entered and what it holds.
func (f opcuaFlags) scan(ctx context.Context, c *call, address string) error {
	if err := opcua.CheckAddress(address); err != nil {
		return badInput{fmt.Errorf("quartier device: %w", err)}
	}
	access, config, err := f.access(address)
	if err == nil {
		err = access.Check(address, config)
	}
	if err != nil {
		return badInput{fmt.Errorf("quartier device: %w", err)}
	}
	endpoints, err := opcua.Discover(ctx, address)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "Policy\tMode\tUsers\tSpoken\tCertificate")
	for _, e := range endpoints {
		spoken := "yes"
		if !e.Spoken {
			spoken = "no, it is broken"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Policy, e.Mode, strings.Join(e.Users, ", "), spoken, pki.Describe(e.Certificate))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(endpoints) > 0 {
		fmt.Fprintf(c.stdout, "Application %s, %q\n\n", endpoints[0].Application, endpoints[0].Name)
	}
	namespace := ""
	more, err := opcua.Scan(ctx, address, access, config, func(n opcua.Node) bool {
		if n.Namespace != namespace {
			namespace = n.Namespace
			fmt.Fprintf(c.stdout, "namespace %s\n", namespace)
		}
		fmt.Fprintf(c.stdout, "%s%s  [%s]", strings.Repeat("  ", n.Depth), n.Name, n.ID)
		if n.Variable {
			fmt.Fprintf(c.stdout, "  %s", n.Type)
			if n.Writable {
				fmt.Fprint(c.stdout, ", writable")
			}
			if n.Value != "" {
				fmt.Fprintf(c.stdout, "  = %s", n.Value)
			}
			if n.Quality != "good" {
				fmt.Fprintf(c.stdout, "  (%s)", n.Quality)
			}
		}
		_, err := fmt.Fprintln(c.stdout)
		return err == nil
	})
	if more {
		fmt.Fprintln(c.stderr, "note: the server holds more than is shown")
	}
	if e, ok := errors.AsType[*pki.Error](err); ok && e.Thumbprint != "" {
		return fmt.Errorf("%w\nCompare its thumbprint with the server's own, and then: quartier device trust accept %s --pki %s", err, e.Thumbprint, *f.pki)
	}
	return err
}

// trust lists and changes whom Quartier trusts.
func (f opcuaFlags) trust(c *call, args []string) error {
	action := "list"
	if len(args) > 0 {
		action = args[0]
	}
	if takes := action == "accept" || action == "reject" || action == "add"; takes != (len(args) == 2) {
		if takes {
			return badInput{fmt.Errorf("quartier device: trust %s wants a thumbprint, or a file to add", action)}
		}
		return badInput{fmt.Errorf("quartier device: trust %s takes nothing more", action)}
	}
	store, err := pki.Open(*f.pki)
	if err != nil {
		return err
	}
	switch action {
	case "list":
		return listTrust(c, store, *f.pki, time.Now())
	case "own":
		id, err := pki.OpenIdentity(*f.pki, pki.Application{}, time.Now())
		if err != nil {
			return err
		}
		if why := pki.ExpiresSoon(id.Leaf.NotAfter, time.Now()); why != "" {
			fmt.Fprintf(c.stderr, "warning: our certificate %s\n", why)
		}
		fmt.Fprintf(c.stdout, "%s\n%s", pki.Describe(id.Certificate), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Certificate}))
		return nil
	case "accept", "reject":
		cert, err := store.Find(args[1])
		if errors.Is(err, pki.ErrUnknown) || errors.Is(err, pki.ErrAmbiguous) {
			return badInput{fmt.Errorf("quartier device: %w; 'quartier device trust' lists them", err)}
		}
		if err != nil {
			return err
		}
		if action == "accept" {
			err = store.Trust(cert)
		} else {
			err = store.Revoke(cert)
		}
		if err == nil {
			fmt.Fprintf(c.stdout, "%sed %s\n", action, pki.Describe(cert.Raw))
		}
		return err
	case "add":
		certs, err := pki.LoadCertificates(args[1])
		if err != nil {
			return badInput{fmt.Errorf("quartier device: %w", err)}
		}
		for _, cert := range certs {
			if err := store.Trust(cert); err != nil {
				return err
			}
			fmt.Fprintf(c.stdout, "accepted %s\n", pki.Describe(cert.Raw))
		}
		return nil
	}
	return badInput{fmt.Errorf("quartier device: unknown action %q of trust: list, own, accept, reject or add", action)}
}

func listTrust(c *call, store *pki.Store, root string, now time.Time) error {
	entries, err := store.List()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "List\tThumbprint\tName\tApplication\tValid until\tSince")
	for _, e := range entries {
		var uris []string
		for _, u := range e.Certificate.URIs {
			uris = append(uris, u.String())
		}
		fmt.Fprintf(w, "%s\t%s\t%q\t%q\t%s\t%s\n", e.List, e.Thumbprint, e.Certificate.Subject.CommonName, strings.Join(uris, " "), e.Certificate.NotAfter.UTC().Format(time.DateOnly), e.Since.UTC().Format("2006-01-02T15:04Z"))
	}
	for _, e := range entries {
		if why := pki.ExpiresSoon(e.Certificate.NotAfter, now); why != "" && e.List != pki.Rejected {
			fmt.Fprintf(c.stderr, "warning: %s %q %s\n", e.Thumbprint, e.Certificate.Subject.CommonName, why)
		}
	}
	if own, file, err := pki.LoadOwn(root); err == nil {
		if why := pki.ExpiresSoon(own.NotAfter, now); why != "" {
			fmt.Fprintf(c.stderr, "warning: our certificate, %s, %s\n", file, why)
		}
	}
	for _, f := range store.Faults() {
		fmt.Fprintf(c.stderr, "note: %v\n", f)
	}
	return w.Flush()
}
