package face

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// TestPointsAsFiles: table, CSV and spreadsheet say the same of every point, and a unit, a type and an access of each.
func TestPointsAsFiles(t *testing.T) {
	ds := testDistricts()
	ds[0].Sites[0].Devices[2].Control = true
	ds[0].Sites[0].Name = `École "A" <&>`
	points := NewModel(ds, nil).Points()
	var table, comma, book bytes.Buffer
	for _, err := range []error{WriteTable(&table, points), WriteCSV(&comma, points), WriteXLSX(&book, points)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(&comma).ReadAll()
	if err != nil || len(rows) != len(points)+1 {
		t.Fatalf("%d rows of CSV, %v, want %d", len(rows), err, len(points)+1)
	}
	if head := strings.Join(rows[0], ","); !strings.HasPrefix(head, "Name,Block,Unit,Modbus unit,Register,Registers,Type,Scale,Access,Min,Max,OPC UA node,Meaning,") {
		t.Errorf("columns are %s: who reads by place finds others than before", head)
	}
	for k, p := range points {
		if r := rows[k+1]; r[11] != p.NodeID || r[12] != p.Description || r[13] != p.DataType || r[14] != p.Path {
			t.Errorf("row %d is %q, want node, meaning, type and path of %+v at its end", k+1, r, p)
		}
	}
	if n := strings.Count(table.String(), "\n"); n != len(rows) {
		t.Errorf("%d lines of the table, want %d", n, len(rows))
	}
	z, err := zip.NewReader(bytes.NewReader(book.Bytes()), int64(book.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Rows []struct {
			Cells []struct {
				Ref    string `xml:"r,attr"`
				Value  string `xml:"v"`
				Inline string `xml:"is>t"`
			} `xml:"c"`
		} `xml:"sheetData>row"`
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var any struct{ XMLName xml.Name }
		if err := xml.Unmarshal(data, &any); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if f.Name == "xl/worksheets/sheet1.xml" {
			if err := xml.Unmarshal(data, &sheet); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(sheet.Rows) != len(rows) {
		t.Fatalf("%d rows of the spreadsheet, want %d", len(sheet.Rows), len(rows))
	}
	for i, row := range rows {
		got := map[byte]string{}
		for _, c := range sheet.Rows[i].Cells {
			got[c.Ref[0]] = c.Value + c.Inline
		}
		for k, want := range row {
			if got['A'+byte(k)] != want {
				t.Errorf("row %d column %s: %q in the spreadsheet, %q in CSV", i, columns[k], got['A'+byte(k)], want)
			}
		}
	}
	writable := 0
	for _, p := range points {
		if p.Access == "RW" {
			writable++
		}
		if p.Type == "" || p.Description == "" || p.Block != "heading" && (p.Unit == "" || p.NodeID == "" || p.DataType != "Double" || !strings.HasPrefix(p.Path, "Objects/Districts/") || p.Min >= p.Max) {
			t.Errorf("%+v says too little", p)
		}
	}
	if writable != 2*2+3*4+2 { // two of each district, four of each site, two of the battery
		t.Errorf("%d requests", writable)
	}
	for _, v := range NewModel(ds, nil).Variables {
		if v.DescriptionFR == "" || v.DescriptionFR == v.Description {
			t.Errorf("%s has no French description", v.Name)
		}
	}
}
