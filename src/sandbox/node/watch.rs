//! Who is told of news as it happens: the never-ending RPC streams and the peers.

use tokio::sync::mpsc;

/// The subscribers of one kind of news; one that is gone is forgotten at the next piece.
#[derive(Debug)]
pub struct Watchers<T> {
    senders: Vec<mpsc::UnboundedSender<T>>,
}

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Self { senders: Vec::new() }
    }
}

impl<T: Clone> Watchers<T> {
    /// Everything published from now on, until [`Self::close`].
    pub fn subscribe(&mut self) -> mpsc::UnboundedReceiver<T> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.senders.push(sender);
        receiver
    }

    pub fn publish(&mut self, news: &T) {
        self.senders.retain(|sender| sender.send(news.clone()).is_ok());
    }

    /// Ends every subscription.
    pub fn close(&mut self) {
        self.senders.clear();
    }
}
