"""A balancer as one writes it in an afternoon: round robin, a thread for each direction of each connection."""
import itertools
import socket
import sys
import threading

port, backends = int(sys.argv[1]), [int(backend) for backend in sys.argv[2:]]
turn = itertools.cycle(backends)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for side in (source, sink):
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    try:
        server = socket.create_connection(("127.0.0.1", next(turn)))
    except OSError:
        client.close()
        return
    back = threading.Thread(target=pump, args=(server, client), daemon=True)
    back.start()
    pump(client, server)
    back.join()
    client.close()
    server.close()


with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
