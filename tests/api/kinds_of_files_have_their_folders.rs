//! Kinds of files, by signature, by declared type, by extension; the tree of folders that follows.

use crate::support::content::samples;
use crate::support::{Daemon, Form};

#[test]
fn each_kind_lies_in_its_folder() {
    let daemon = Daemon::start();
    let text = || b"some text\n".to_vec();
    let unknown = || vec![1, 2, 3, 4];
    for (name, content, folder) in [
        ("a.jpg", samples::jpg(1), "images/jpg"),
        ("a.png", samples::png(1), "images/png"),
        ("a.gif", samples::gif(1), "images/gif"),
        (
            "a.svg",
            b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
            "images/svg",
        ),
        ("a.webp", b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), "images/webp"),
        ("a.bmp", unknown(), "images/bmp"),
        ("a.heic", unknown(), "images/heic"),
        ("a.mp4", samples::mp4(1), "videos/mp4"),
        ("a.avi", b"RIFF\x24\0\0\0AVI LIST".to_vec(), "videos/avi"),
        ("a.mkv", unknown(), "videos/mkv"),
        ("a.webm", unknown(), "videos/webm"),
        ("a.mp3", samples::mp3(1), "audio/mp3"),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), "audio/wav"),
        ("a.flac", b"fLaC\0\0\0\x22".to_vec(), "audio/flac"),
        ("a.opus", unknown(), "audio/opus"),
        ("a.pdf", samples::pdf(1), "documents/pdf"),
        ("a.txt", text(), "documents/txt"),
        ("a.md", b"<p align=center>".to_vec(), "documents/md"),
        ("a.docx", samples::zip(1), "documents/docx"),
        ("a.epub", samples::zip(2), "documents/epub"),
        ("a.xlsx", samples::zip(3), "spreadsheets/xlsx"),
        ("a.csv", b"a,b\n1,2\n".to_vec(), "spreadsheets/csv"),
        ("a.pptx", samples::zip(4), "presentations/pptx"),
        ("a.zip", samples::zip(5), "archives/zip"),
        ("a.gz", b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "archives/gz"),
        ("a.rar", b"Rar!\x1a\x07\0".to_vec(), "archives/rar"),
        ("a.py", b"#!/usr/bin/python\n".to_vec(), "code/py"),
        ("a.js", text(), "code/js"),
        ("a.go", text(), "code/go"),
        ("a.java", text(), "code/java"),
        ("a.cpp", text(), "code/cpp"),
        ("a.ts", text(), "code/ts"),
        ("a.nothing", unknown(), "other/unknown"),
        ("noextension", unknown(), "other/unknown"),
    ] {
        let record = daemon.upload(name, &content);
        assert_eq!(record["category"], folder, "{name}: {record}");
        let media_type = folder.split('/').next();
        assert_eq!(record["media_type"].as_str(), media_type, "{name}");
        let path = record["path"].as_str().expect("a path");
        assert!(path.starts_with(&format!("storage/{folder}/")), "{name}: {path}");
    }
}

#[test]
fn declared_types_lose_parameters_and_aliases_are_folded() {
    let daemon = Daemon::start();
    for (declared, mime) in [
        ("audio/x-wav", "audio/wav"),
        ("audio/x-flac", "audio/flac"),
        ("TEXT/Plain; charset=latin-1", "text/plain"),
        ("application/pdf;a=\"b\"", "application/pdf"),
        ("nonsense", "application/octet-stream"),
        ("a/b/c", "application/octet-stream"),
    ] {
        let form = Form::new().typed("noextension", declared, &[1, 2, 3]);
        let record = form.send(&mut daemon.connect()).stored().remove(0);
        assert_eq!(record["mime_type"], mime, "{declared}");
    }
}
