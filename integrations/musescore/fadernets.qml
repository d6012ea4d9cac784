// fadernets for MuseScore 3: the selected bars, or all, a dialog of faders, and the edited score in a new tab.
//
// Needs a studio that runs on this machine (`fadernets studio --no-browser`). Put this file into MuseScore's folder of
// plugins and switch it on under Plugins > Plugin Manager. Each field takes a value ("0.7") or a change ("+0.2", "-3");
// empty fields leave their fader alone. The score goes to the studio as MusicXML and comes back with only those
// measures new in which a note changed. Nothing leaves the machine.

import QtQuick 2.1
import QtQuick.Controls 1.0
import MuseScore 3.0
import FileIO 3.0

MuseScore {
    id: plugin
    menuPath: "Plugins.fadernets"
    version: "1.0"
    description: "Move the faders of the selected bars with a studio of fadernets on this machine."
    pluginType: "dialog"
    requiresScore: true
    width: 420
    height: 380

    property string address: "http://127.0.0.1:8765"
    property var names: ["rhythm_density", "note_density", "syncopation", "pitch", "dynamics", "articulation"]
    property string piece: ""
    property var told: ({}) // fader -> where it is, and how far it can go
    property var asked: ({}) // fader -> what was typed
    property var bars: null // [first, last], from 1; null: all
    property string temporary: source.tempPath() + "/fadernets-score"

    FileIO {
        id: source
        source: plugin.temporary + ".musicxml"
        onError: plugin.say(msg)
    }
    FileIO {
        id: target
        source: plugin.temporary + "-edited.musicxml"
        onError: plugin.say(msg)
    }

    onRun: begin()

    function say(message) { status.text = message }

    // Ask the studio; what it answers goes to `done`, its errors are shown.
    function ask(method, route, body, kind, done) {
        var request = new XMLHttpRequest()
        request.onreadystatechange = function() {
            if (request.readyState !== XMLHttpRequest.DONE)
                return
            if (request.status === 200) {
                done(request.responseText)
                return
            }
            var told = "no studio answers at " + address + ": start it with `fadernets studio`"
            if (request.status !== 0) {
                try { told = JSON.parse(request.responseText).error } catch (error) { told = "the studio answered " + request.status }
            }
            say(told)
        }
        request.open(method, address + route)
        if (kind)
            request.setRequestHeader("Content-Type", kind)
        request.send(body)
    }

    // The numbers of the selected measures, from 1.
    function selected() {
        var cursor = curScore.newCursor()
        cursor.rewind(1)
        if (!cursor.segment)
            return null
        var start = cursor.tick
        cursor.rewind(2)
        var end = cursor.tick === 0 ? curScore.lastSegment.tick + 1 : cursor.tick
        var number = 0, first = 1, last = 1
        for (var measure = curScore.firstMeasure; measure; measure = measure.nextMeasure) {
            number++
            var tick = measure.firstSegment.tick
            if (tick <= start)
                first = number
            if (tick < end)
                last = number
        }
        return [first, last]
    }

    // Send the score, and show where its faders are.
    function begin() {
        bars = selected()
        say("The score is read ...")
        writeScore(curScore, temporary, "musicxml")
        ask("POST", "/api/pieces?name=score.musicxml", source.read(), "application/xml", function(answer) {
            piece = JSON.parse(answer).id
            describe()
        })
    }

    function describe() {
        var where = "/api/describe?piece=" + piece + (bars ? "&bars=" + bars[0] + "-" + bars[1] : "")
        ask("GET", where, null, "", function(answer) {
            var found = {}, rows = JSON.parse(answer).faders
            for (var i = 0; i < rows.length; i++) {
                var row = rows[i]
                if (names.indexOf(row.name) < 0 || row.value === null)
                    continue
                var reach = Number(row.lowest).toPrecision(3) + " to " + Number(row.highest).toPrecision(3)
                found[row.name] = { now: Number(row.value).toPrecision(3), reach: reach }
            }
            told = found
            say(bars ? "Bars " + bars[0] + " to " + bars[1] : "All bars")
            ready()
        })
    }

    function ready() {}

    // The faders that were asked for, as the studio takes them; null and a message where one is no number.
    function request() {
        var made = { set: {}, move: {}, bars: bars ? [bars] : null, seed: Math.floor(Math.random() * 100000) }
        for (var name in asked) {
            var text = asked[name].replace(/\s/g, "")
            if (text === "")
                continue
            if (isNaN(Number(text))) {
                say(name.replace("_", " ") + ": " + text + " is no value such as 0.7 and no change such as +0.2")
                return null
            }
            made[/^[+-]/.test(text) ? "move" : "set"][name] = Number(text)
        }
        return made
    }

    // Edit the score, and open the result.
    function apply() {
        var made = request()
        if (made === null)
            return
        say("The edit is computed ...")
        var body = JSON.stringify({ piece: piece, format: "score", faders: made })
        ask("POST", "/api/render", body, "application/json", function(answer) {
            target.write(answer)
            readScore(target.source)
            done()
        })
    }

    function done() { Qt.quit() }

    Column {
        anchors.fill: parent
        anchors.margins: 12
        spacing: 6
        Repeater {
            model: plugin.names
            Row {
                spacing: 8
                Text { text: modelData.replace("_", " "); width: 120; height: 26 }
                Text { text: plugin.told[modelData] ? plugin.told[modelData].now : ""; width: 60; height: 26 }
                Rectangle {
                    width: 60; height: 22
                    color: "white"
                    border.color: field.activeFocus ? "#3060c0" : "#a0a0a0"
                    TextInput {
                        id: field
                        anchors.fill: parent
                        anchors.margins: 3
                        clip: true
                        selectByMouse: true
                        activeFocusOnTab: true
                        onTextChanged: plugin.asked[modelData] = text
                    }
                }
                Text { text: plugin.told[modelData] ? plugin.told[modelData].reach : ""; width: 150; height: 26 }
            }
        }
        Text { id: status; width: plugin.width - 24; height: 60; wrapMode: Text.WordWrap }
        Row {
            spacing: 8
            Button { text: "Edit"; enabled: plugin.piece !== ""; onClicked: plugin.apply() }
            Button { text: "Close"; onClicked: Qt.quit() }
        }
    }
}
