package app

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"quartier/cmd/internal/config"
	"quartier/schemas/district"
	"quartier/schemas/tariff"
)

// loader type-checks the packages of this module from their source, without their tests. Those from elsewhere come as the compiler left them.
type loader struct {
	root   string
	fset   *token.FileSet
	others types.Importer
	done   map[string]*types.Package
	fields map[string]map[string]bool // "package.Type.Field": packages that read it
}

func (l *loader) Import(path string) (*types.Package, error) {
	if p, ok := l.done[path]; ok {
		return p, nil
	}
	rel, ours := strings.CutPrefix(path, "quartier/")
	if !ours {
		return l.others.Import(path)
	}
	names, err := filepath.Glob(filepath.Join(l.root, rel, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(l.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}
	cfg := types.Config{Importer: l, Error: func(error) {}, FakeImportC: true}
	p, _ := cfg.Check(path, l.fset, files, info)
	l.done[path] = p
	written := map[ast.Expr]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok && (a.Tok == token.ASSIGN || a.Tok == token.DEFINE) {
				for _, x := range a.Lhs {
					written[x] = true
				}
			}
			return true
		})
	}
	for expr, sel := range info.Selections {
		if sel.Kind() != types.FieldVal || written[expr] {
			continue
		}
		t := sel.Recv()
		if ptr, ok := t.Underlying().(*types.Pointer); ok {
			t = ptr.Elem()
		}
		named, ok := t.(*types.Named)
		if !ok || named.Obj().Pkg() == nil {
			continue
		}
		key := named.Obj().Pkg().Path() + "." + named.Obj().Name() + "." + sel.Obj().Name()
		if l.fields[key] == nil {
			l.fields[key] = map[string]bool{}
		}
		l.fields[key][path] = true
	}
	return p, nil
}

// compiled returns where the compiler left the packages that this module imports, its own apart, by their paths.
func compiled(t *testing.T, root string) importer.Lookup {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			files[path] = file
		}
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// TestEveryKeyIsConsumed: every key of district.yaml is read by something that acts on it. A key that becomes a field of the vocabulary must be read there too, beyond the
// configuration that writes it and the simulation that stands for the devices.
func TestEveryKeyIsConsumed(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	l := &loader{root: root, fset: fset, others: importer.ForCompiler(fset, "gc", compiled(t, root)), done: map[string]*types.Package{}, fields: map[string]map[string]bool{}}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name := e.Name(); name == "node_modules" || name == "testdata" && path != filepath.Join(root, "testdata") || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if dir := filepath.Dir(path); strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && dir != root {
			rel, err := filepath.Rel(root, dir)
			if err != nil {
				return err
			}
			_, err = l.Import("quartier/" + filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(typ reflect.Type, field string, beside func(pkg string) bool) bool {
		for pkg := range l.fields[typ.PkgPath()+"."+typ.Name()+"."+field] {
			if !beside(pkg) {
				return true
			}
		}
		return false
	}
	n := 0
	var keys func(typ reflect.Type, path string)
	keys = func(typ reflect.Type, path string) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			at := strings.TrimPrefix(path+"."+f.Tag.Get("yaml"), ".")
			n++
			if !read(typ, f.Name, func(string) bool { return false }) && at != "version" { // the decoder itself compares the version
				t.Errorf("%s is read by nothing", at)
			}
			keys(f.Type, at)
		}
	}
	keys(reflect.TypeFor[config.File](), "")
	if n < 100 {
		t.Errorf("%d keys were looked at, want all of about 150", n)
	}
	elsewhere := func(pkg string) bool {
		return pkg == "quartier/cmd/internal/config" || strings.HasPrefix(pkg, "quartier/drivers/sim") || strings.Contains(pkg, "/consoletest")
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[district.District](), reflect.TypeFor[district.Site](), reflect.TypeFor[district.Device](), reflect.TypeFor[district.PVParams](),
		reflect.TypeFor[district.BatteryParams](), reflect.TypeFor[district.HeatPumpParams](), reflect.TypeFor[district.WaterHeaterParams](), reflect.TypeFor[district.EVChargerParams](),
		reflect.TypeFor[district.Member](), reflect.TypeFor[district.Consent](), reflect.TypeFor[tariff.Tariff](), reflect.TypeFor[tariff.Row](), reflect.TypeFor[tariff.Window]()} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Name; !read(typ, name, elsewhere) {
				t.Errorf("%s.%s is filled from the configuration and read by nothing", typ, name)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Error(err) // the walk began elsewhere
	}
}
